"""The stage that holds networks: an actor on Ray, an object of the child process locally."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from colorize_core.bundle import Bundle
from colorize_core.errors import BundleError
from colorize_core.inference.colorizer import Colorizer
from colorize_core.networks import Engine, engine_for
from colorize_core.runtime import placement

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Networks:
    """Which networks a job needs, before they are opened.

    Attributes:
        bundles: one network each.
        saturation: gain of ab, as ``Colorizer`` takes it.
        engine: what runs them.
    """

    bundles: Sequence[Bundle]
    saturation: float = 1.0
    engine: Engine = "auto"

    def engines(self) -> set[str]:
        """Returns the engines that run them on CPUs."""
        return {engine_for(bundle, gpu=False) if self.engine == "auto" else self.engine for bundle in self.bundles}

    def open(self, threads: int | None, *, gpu: bool = False) -> list[Colorizer]:
        """Opens each network. Raises BundleError."""
        return [Colorizer(bundle, threads, self.saturation, self.engine, gpu=gpu) for bundle in self.bundles]


class Predictor(Generic[Batch]):
    """Opens networks once, and does work with them on each batch.

    Args:
        networks: to open.
        work: what is done with a batch, by the opened networks.
        threads: CPU threads for one call of a network; None if this process was granted a GPU.
    """

    def __init__(
        self, networks: Networks, work: Callable[[Batch, Sequence[Colorizer]], Any], threads: int | None
    ) -> None:
        if threads:
            placement.hide_gpus()
        self._work = work
        self._failure: BundleError | None = None
        self._colorizers: list[Colorizer] = []
        try:
            self._colorizers = networks.open(threads, gpu=threads is None)
        except BundleError as error:
            self._failure = error  # raised here, it would start an actor again and again

    def __call__(self, batch: Batch) -> Any:
        """Does the work on a batch. Raises BundleError if a network could not be opened."""
        if self._failure:
            raise self._failure
        return self._work(batch, self._colorizers)
