"""The child process of ``sandbox``: opens the files of a bundle under limits of memory and time.

A file that runs for ever, takes all memory or crashes a library ends this process and no other.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from colorize_core.bundle import onnx_weights, weights_file
from colorize_core.bundle.facts import KERAS_WEIGHTS, ONNX, REMEDY, UnsafeError, shown
from colorize_core.bundle.onnx_check import check_onnx
from colorize_core.bundle.weights_check import check_weights
from colorize_core.errors import one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIME_FOR_OPTIONAL = 0.7  # part of the time after which no optional shape is tried


def main() -> None:
    """Reads a task and two files from standard input, and writes the result to standard output.

    The output has one JSON object per line: ``{"file": "model.onnx"}`` before a file is opened, then
    ``{"refusal": "..."}`` if the file is refused, or ``{"done": true}`` at the end.
    """
    task = json.loads(sys.stdin.buffer.readline())
    _limit(resource.RLIMIT_AS, task["memory"])
    _limit(resource.RLIMIT_CPU, task["cpu_seconds"], 1)  # at the first limit SIGXCPU ends the process and says why
    _limit(resource.RLIMIT_CORE, 0)
    weights, onnx = (sys.stdin.buffer.read(size) for size in task["file_sizes"])
    try:
        _write(file=task["weights_file"])
        if task["weights_file"] == KERAS_WEIGHTS:
            check_weights(weights)
        else:
            arrays = weights_file.unpack(weights)
        del weights
        if onnx:
            _write(file=ONNX)
            whole = onnx_weights.join(onnx, arrays)
            del arrays
            check_onnx(whole)
            _predict(whole, task)
    except UnsafeError as error:
        _write(refusal=one_line(error))
    except MemoryError:
        _write(refusal=f"needs more than {task['memory'] >> 20} MiB of memory: {REMEDY}")
    except Exception as error:  # protobuf raises its own for names that are not UTF-8; damaged files cause others
        _write(refusal=f"is damaged ({shown(one_line(error))}): {REMEDY}")
    else:
        _write(done=True)
    sys.stdout.flush()
    os._exit(0)  # skips the libraries' cleanup, which may hang after a damaged file


def _limit(kind: int, soft: int, margin: int = 0) -> None:
    """Sets the soft limit of a resource, and a hard limit that is larger by ``margin``."""
    hard = resource.getrlimit(kind)[1]
    limits = [limit if hard == resource.RLIM_INFINITY else min(limit, hard) for limit in (soft, soft + margin)]
    with suppress(ValueError, OSError):  # macOS has no limit of address space
        resource.setrlimit(kind, (limits[0], limits[1]))


def _write(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def _predict(content: bytes, task: dict[str, Any]) -> None:
    """Predicts images of zeros.

    Raises:
        UnsafeError: ONNX Runtime fails, or an output does not fit the recipe.
        MemoryError: the network needs more memory than the limit.
    """
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        [source], [result] = session.get_inputs(), session.get_outputs()
        seconds_per_pixel = 0.0
        deadline = time.monotonic() + task["cpu_seconds"]  # wall-clock time, since the CPUs may have other work
        for shape in [*task["required_shapes"], *task["optional_shapes"]]:
            began, pixels = time.process_time(), math.prod(shape)
            expected_end = began + seconds_per_pixel * pixels
            late = expected_end > _TIME_FOR_OPTIONAL * task["cpu_seconds"] or time.monotonic() > deadline
            if late and shape not in task["required_shapes"]:
                continue
            [outputs] = session.run([result.name], {source.name: np.zeros(shape, np.float32)})
            seconds_per_pixel = max(seconds_per_pixel, (time.process_time() - began) / pixels)
            _check_outputs(outputs, shape, task["channels"])
    except (MemoryError, UnsafeError):
        raise
    except Exception as error:  # ONNX Runtime raises classes of its own, with no common base
        words = one_line(error)
        if "allocate" in words or "bad_alloc" in words:
            raise MemoryError from error
        raise UnsafeError(f"cannot be loaded: {shown(words)}: {REMEDY}") from error


def _check_outputs(outputs: NDArray[Any], shape: list[int], wanted: int) -> None:
    """Raises UnsafeError if outputs do not have the wanted channels, are too large, or are not finite float32."""
    import numpy as np

    images, *sides, channels = outputs.shape if outputs.ndim == 4 else (0, 0, 0, 0)
    fits = all(1 <= output <= 2 * given for output, given in zip(sides, shape[1:3], strict=True))
    if (images, channels) != (shape[0], wanted) or not fits or outputs.dtype != np.float32:
        sizes = [" x ".join(map(str, each)) for each in (outputs.shape, shape)]
        raise UnsafeError(f"predicts {sizes[0]} from {sizes[1]}, not {wanted} channels: {REMEDY}")
    if not np.isfinite(outputs).all():
        raise UnsafeError(f"predicts numbers that are not finite: {REMEDY}")
