"""The engine ONNX Runtime: for CPUs, and for CUDA if the GPU build of ONNX Runtime is installed."""

from __future__ import annotations

import os

import numpy as np
import onnxruntime

from colorize_core.color import Floats
from colorize_core.errors import BundleError, one_line
from colorize_core.networks.interface import Trained
from colorize_core.runtime.local.processors import cpus

_BATCH, _BATCH_ON_GPU = 4, 32  # on CPUs the feature maps of 4 images stay in the cache: a seventh faster than 32
_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_FATAL_ONLY = 4  # log level; callers get errors as exceptions


class OnnxNetwork:
    """A network that runs in an ONNX Runtime session.

    Args:
        trained: a bundle with an ONNX file.
        threads: CPU threads for one call; None for one per CPU.

    Raises:
        BundleError: the bundle has no ONNX file, or one that does not load.
    """

    def __init__(self, trained: Trained, threads: int | None = None) -> None:
        if not trained.onnx:
            raise BundleError(f"model bundle {trained.name} has no model.onnx: choose --engine keras")
        try:
            self._session = session(trained.onnx, threads)
            [source], [result] = self._session.get_inputs(), self._session.get_outputs()
        except Exception as error:  # ONNX Runtime raises classes of its own, with no common base
            raise BundleError(f"model.onnx of {trained.name} cannot be loaded: {one_line(error)}") from error
        self._name, self._input, self._output = trained.name, source.name, result.name
        self.batch = _BATCH_ON_GPU if has_cuda() else _BATCH

    def __call__(self, inputs: Floats) -> Floats:
        """Predicts float32 [n, h', w', 2 or 3] from float32 [n, h, w, 1]. Raises BundleError."""
        try:
            [outputs] = self._session.run([self._output], {self._input: np.ascontiguousarray(inputs, np.float32)})
        except Exception as error:  # also if the network takes other sizes than its bundle says, or all memory
            raise BundleError(
                f"model.onnx of {self._name} cannot predict inputs {inputs.shape}: {one_line(error)}"
            ) from error
        return np.asarray(outputs, np.float32)


def session(content: bytes, threads: int | None = None) -> onnxruntime.InferenceSession:
    """Returns an ONNX Runtime session for the content of an ONNX file, on CUDA if this installation supports it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or cpus()
    options.inter_op_num_threads = 1
    # Otherwise waiting threads spin on CPUs that decoders need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _FATAL_ONLY
    return onnxruntime.InferenceSession(content, options, providers=[*([_CUDA] if has_cuda() else []), _CPU])


def has_cuda() -> bool:
    """Returns True if the installed ONNX Runtime is built for CUDA, and this process may see a GPU."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible not in ("", "-1") and _CUDA in onnxruntime.get_available_providers()
