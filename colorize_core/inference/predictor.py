"""A stage with opened networks: an actor on Ray, or an object in a child process of the local runner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from colorize_core.bundle import FAITHFUL, Bundle
from colorize_core.errors import BundleError
from colorize_core.inference.colorizer import Colorizer
from colorize_core.networks import Engine, engine_for
from colorize_core.runtime import placement

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


@dataclass(frozen=True)
class Networks:
    """The networks that a job needs. They are not opened yet, so that they can be sent to another process.

    Attributes:
        bundles: the bundles, with one network each.
        saturation: the colors that the networks predict, as ``Colorizer`` takes it.
        engine: name of the engine that runs the networks.
    """

    bundles: Sequence[Bundle]
    saturation: str | float = FAITHFUL
    engine: Engine = "auto"

    def engines(self) -> set[str]:
        """Returns the engines that run the networks on CPUs."""
        return {engine_for(bundle, gpu=False) if self.engine == "auto" else self.engine for bundle in self.bundles}

    def open(self, threads: int | None, *, gpu: bool = False) -> list[Colorizer]:
        """Opens each network. Raises BundleError."""
        return [Colorizer(bundle, threads, self.saturation, self.engine, gpu=gpu) for bundle in self.bundles]


class Predictor(Generic[InputT, OutputT]):
    """A callable that opens networks once and applies them to each batch.

    Args:
        networks: the networks to open.
        work: called with a batch and the opened networks; its result is returned.
        threads: CPU threads for one call of a network; None if this process has a GPU.
    """

    def __init__(
        self, networks: Networks, work: Callable[[InputT, Sequence[Colorizer]], OutputT], threads: int | None
    ) -> None:
        if threads:
            placement.hide_gpus()
        self._work = work
        self._failure: BundleError | None = None
        self._colorizers: list[Colorizer] = []
        try:
            self._colorizers = networks.open(threads, gpu=threads is None)
        except BundleError as error:
            self._failure = error  # if it were raised here, Ray would start the actor again and again

    def __call__(self, batch: InputT) -> OutputT:
        """Returns the result of ``work`` on a batch. Raises BundleError if a network could not be opened."""
        if self._failure:
            raise self._failure
        return self._work(batch, self._colorizers)
