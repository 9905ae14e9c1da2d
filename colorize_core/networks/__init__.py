"""The engines that run a network, behind one interface.

A network maps gray or L [n, h, w, 1] to its prediction [n, h', w', channels]. A new engine is one file with a class and
one record in ``ENGINES``; the library of an engine is imported when its first network is opened.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from colorize_core.errors import InputError
from colorize_core.networks.interface import Network, Trained

_DEVICE = "/dev/nvidia0"


@dataclass(frozen=True)
class EngineRecord:
    """The facts about an engine that the registry knows without importing the engine's library.

    Attributes:
        network: "module:class"; the class takes a bundle and ``threads``, and is a ``Network``.
        runs_onnx: True if the engine runs a bundle's ONNX file; False if it runs the Keras model. Every bundle has a
            Keras model.
        libraries: names of the engine's libraries as pip knows them. Their versions are recorded in bundles and in the
            summaries of runs.
        is_light: True if an open network takes so little memory that each CPU can have one of its own.
        gpu_check: "module:function"; the function returns True if the engine can use this machine's NVIDIA GPUs. '' for
            an engine that finds out by itself, and so counts as able to use any GPU.
    """

    network: str
    runs_onnx: bool
    libraries: tuple[str, ...]
    is_light: bool
    gpu_check: str = ""

    def can_run(self, trained: Trained) -> bool:
        """Returns True if the bundle has a network for this engine."""
        return bool(trained.onnx) or not self.runs_onnx

    def can_use_gpu(self) -> bool:
        """Returns True if the engine can use an NVIDIA GPU of this machine."""
        return not self.gpu_check or bool(_load(self.gpu_check)())


# ``auto`` stands for the first engine that fits.
ENGINES = {
    "onnx": EngineRecord(
        "colorize_core.networks.onnx:OnnxNetwork",
        runs_onnx=True,
        libraries=("onnxruntime",),
        is_light=True,
        gpu_check="colorize_core.networks.onnx:has_cuda",
    ),
    "keras": EngineRecord(
        "colorize_core.networks.keras:KerasNetwork",
        runs_onnx=False,
        libraries=("keras", "tensorflow"),
        is_light=False,
    ),
}
ENGINE_CHOICES = ("auto", *ENGINES)
Engine = str  # one of ENGINE_CHOICES


def open_network(
    trained: Trained, engine: Engine = "auto", *, threads: int | None = None, gpu: bool = False
) -> Network:
    """Opens a network with an engine.

    Args:
        trained: the bundle.
        engine: one of ``ENGINE_CHOICES``; ``auto`` stands for the result of ``engine_for``.
        threads: CPU threads for one call; None for one per CPU.
        gpu: True if this process was granted a GPU.

    Raises:
        InputError: there is no such engine.
        BundleError: the bundle has no network that this engine can run, or it is damaged.
    """
    check_engine(engine)
    chosen = engine_for(trained, gpu=gpu) if engine == "auto" else engine
    opened: Network = _load(ENGINES[chosen].network)(trained, threads)
    return opened


def _load(path: str) -> Any:
    """Imports "module:name"."""
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)


def check_engine(engine: Engine) -> None:
    """Raises InputError if there is no such engine."""
    if engine not in ENGINE_CHOICES:
        raise InputError(f"engine is {engine!r}; choose from {', '.join(ENGINE_CHOICES)}")


def engine_for(trained: Trained, *, gpu: bool) -> Engine:
    """Returns the engine that ``auto`` stands for.

    The result is the first of ``ENGINES`` that can run the bundle and, if ``gpu``, can use the GPU: ONNX Runtime starts
    in half a second; Keras is for a bundle without an ONNX file, and for a GPU that the installed ONNX Runtime cannot
    use.
    """
    fits = (name for name, each in ENGINES.items() if each.can_run(trained) and (not gpu or each.can_use_gpu()))
    return next(fits)


def has_gpu(engine: Engine) -> bool:
    """Returns True if this process may see an NVIDIA GPU that the engine can use."""
    if not os.path.exists(_DEVICE) or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return ENGINES[engine].can_use_gpu()


def library_versions(others: Iterable[str]) -> dict[str, str]:
    """Returns the versions of the engines' libraries and of other libraries, by name. Leaves out what is not installed.

    Args:
        others: names as pip knows them.
    """
    names = {*others, *(name for each in ENGINES.values() for name in each.libraries)}
    versions = {}
    for name in sorted(names):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def are_light(engines: Iterable[Engine]) -> bool:
    """Returns True if networks of all these engines take so little memory that each CPU can have its own."""
    return all(ENGINES[engine].is_light for engine in engines)


def advice(trained: Trained, engine: Engine) -> str:
    """Returns a line for the user if the bundle has no ONNX file, and no engine that needs none was asked for; else ''.

    Raises:
        InputError: there is no such engine.
    """
    check_engine(engine)
    if trained.onnx or (engine != "auto" and not ENGINES[engine].runs_onnx):
        return ""
    return (
        f"model bundle {trained.name} has no model.onnx: it runs through TensorFlow, which takes longer to start. Make "
        "a bundle with model.onnx: colorize export --format bundle BUNDLE OUTPUT"
    )
