"""The engines that run a network, behind one interface.

A network maps gray or L [n, h, w, 1] to its prediction [n, h', w', channels]. A new engine is one file with a class and
one line in ``ENGINES``; the library of an engine is imported when its first network is opened.
"""

from __future__ import annotations

import importlib
import os

from colorize_core.errors import InputError
from colorize_core.networks.interface import Network, Trained

_DEVICE = "/dev/nvidia0"
ENGINES = {
    "onnx": "colorize_core.networks.onnx:OnnxNetwork",
    "keras": "colorize_core.networks.keras:KerasNetwork",
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
    module, name = ENGINES[chosen].split(":")
    opened: Network = getattr(importlib.import_module(module), name)(trained, threads)
    return opened


def check_engine(engine: Engine) -> None:
    """Raises InputError if there is no such engine."""
    if engine not in ENGINE_CHOICES:
        raise InputError(f"engine is {engine!r}; choose from {', '.join(ENGINE_CHOICES)}")


def engine_for(trained: Trained, *, gpu: bool) -> Engine:
    """Returns the engine that ``auto`` stands for.

    The engine is ONNX Runtime, which starts in half a second; but Keras for a bundle without an ONNX file, and on a
    GPU that the installed ONNX Runtime cannot use.
    """
    if not trained.onnx:
        return "keras"
    from colorize_core.networks.onnx import has_cuda

    return "keras" if gpu and not has_cuda() else "onnx"


def has_gpu(engine: Engine = "onnx") -> bool:
    """Returns True if this process may see an NVIDIA GPU that the engine can use.

    Keras counts as able to use any GPU: TensorFlow finds out by itself.
    """
    if not os.path.exists(_DEVICE) or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    from colorize_core.networks.onnx import has_cuda

    return engine == "keras" or has_cuda()


def advice(trained: Trained, engine: Engine) -> str:
    """Returns a line for the user if the bundle runs only through Keras and Keras was not asked for; else ''.

    Raises:
        InputError: there is no such engine.
    """
    check_engine(engine)
    if trained.onnx or engine == "keras":
        return ""
    return (
        f"model bundle {trained.name} has format 1, without model.onnx: it runs through TensorFlow, which takes longer "
        "to start. Make a bundle of format 2 with: colorize export --format bundle BUNDLE OUTPUT"
    )
