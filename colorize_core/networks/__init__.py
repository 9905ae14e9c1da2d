"""The network behind one interface: gray or L [n, h, w, 1] goes in, its prediction [n, h', w', channels] comes out.

An engine runs the network. A new engine is one file with a class and one line in ``ENGINES``; an engine's library is
imported when its first network is opened.
"""

from __future__ import annotations

import importlib
import os
from typing import Literal, get_args

from colorize_core.networks.interface import Network, Trained

_DEVICE = "/dev/nvidia0"
Engine = Literal["auto", "onnx", "keras"]
ENGINE_CHOICES: tuple[Engine, ...] = get_args(Engine)
ENGINES = {
    "onnx": "colorize_core.networks.onnx:OnnxNetwork",
    "keras": "colorize_core.networks.keras:KerasNetwork",
}


def open_network(
    trained: Trained, engine: Engine = "auto", *, threads: int | None = None, gpu: bool = False
) -> Network:
    """Opens a network with an engine.

    Args:
        trained: the bundle.
        engine: ``auto`` takes ``engine_for``.
        threads: CPU threads for one call; None for one per CPU.
        gpu: this process was granted a GPU.

    Raises:
        BundleError: the bundle has no network that this engine can run, or it is damaged.
    """
    chosen = engine_for(trained, gpu=gpu) if engine == "auto" else engine
    module, name = ENGINES[chosen].split(":")
    opened: Network = getattr(importlib.import_module(module), name)(trained, threads)
    return opened


def engine_for(trained: Trained, *, gpu: bool) -> str:
    """Returns the engine that ``auto`` stands for.

    ONNX Runtime, which starts in half a second; Keras for a bundle without an ONNX file, and on a GPU that the
    installed ONNX Runtime cannot use.
    """
    if not trained.onnx:
        return "keras"
    from colorize_core.networks.onnx import has_cuda

    return "keras" if gpu and not has_cuda() else "onnx"


def has_gpu(engine: str = "onnx") -> bool:
    """Returns True if this process may see an NVIDIA GPU that an engine can use: TensorFlow finds out by itself."""
    if not os.path.exists(_DEVICE) or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    from colorize_core.networks.onnx import has_cuda

    return engine == "keras" or has_cuda()


def advice(trained: Trained, engine: Engine) -> str:
    """Returns a line for the user of a bundle that only Keras runs, unless that is what was asked for; else ''."""
    if trained.onnx or engine == "keras":
        return ""
    return (
        f"model bundle {trained.name} has format 1, without model.onnx: it runs through TensorFlow, which takes longer "
        "to start; colorize export --format bundle makes one of format 2"
    )
