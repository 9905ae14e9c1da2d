"""The other side of ``examination``: a process of its own that opens the files of a bundle under limits.

What would run for ever, or take all memory, or crash, ends this process and no other.
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

from colorize_core.bundle.facts import UnsafeError, shown
from colorize_core.bundle.onnx_check import check_onnx
from colorize_core.bundle.weights_check import check_weights
from colorize_core.errors import one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEED = "fetch it again or train anew"
_PART_OF_TIME = 0.7  # after which no further shapes are tried


def main() -> None:
    """Reads a task and two files from standard input; writes what is wrong to standard output, a line of JSON each.

    ``{"file": "model.keras"}`` is written before a file is opened, ``{"wrong": "..."}`` if it is refused.
    """
    task = json.loads(sys.stdin.buffer.readline())
    _limit(resource.RLIMIT_AS, task["bytes"])
    _limit(resource.RLIMIT_CPU, task["seconds"], 1)  # the signal SIGXCPU comes first, and tells what happened
    _limit(resource.RLIMIT_CORE, 0)
    weights, onnx = (sys.stdin.buffer.read(size) for size in task["sizes"])
    try:
        _say(file="model.keras")
        check_weights(weights)
        del weights
        if onnx:
            _say(file="model.onnx")
            check_onnx(onnx)
            _predict(onnx, task)
    except UnsafeError as error:
        _say(wrong=one_line(error))
    except MemoryError:
        _say(wrong=f"needs more than {task['bytes'] >> 20} MiB of memory: {_NEED}")
    except Exception as error:  # protobuf's, of names that are no UTF-8, and whatever else a damaged file brings about
        _say(wrong=f"is damaged ({shown(one_line(error))}): {_NEED}")
    else:
        _say(done=True)
    sys.stdout.flush()
    os._exit(0)  # what libraries do at their end does not matter any more


def _limit(what: int, value: int, more: int = 0) -> None:
    hard = resource.getrlimit(what)[1]
    soft, new = (limit if hard == resource.RLIM_INFINITY else min(limit, hard) for limit in (value, value + more))
    with suppress(ValueError, OSError):  # macOS knows no limit of address space
        resource.setrlimit(what, (soft, new))


def _say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _predict(content: bytes, task: dict[str, Any]) -> None:
    """Predicts images of zeros. Raises UnsafeError where ONNX Runtime fails, or the output is none of this recipe's."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        [source], [result] = session.get_inputs(), session.get_outputs()
        cost, ends = 0.0, time.monotonic() + task["seconds"]  # seconds of CPU for a pixel; where CPUs are busy
        for shape in [*task["shapes"], *task["more"]]:
            began, pixels = time.process_time(), math.prod(shape)
            late = began + cost * pixels > _PART_OF_TIME * task["seconds"] or time.monotonic() > ends
            if late and shape not in task["shapes"]:
                continue
            [outputs] = session.run([result.name], {source.name: np.zeros(shape, np.float32)})
            cost = max(cost, (time.process_time() - began) / pixels)
            _check_outputs(outputs, shape, task["channels"])
    except (MemoryError, UnsafeError):
        raise
    except Exception as error:  # ONNX Runtime raises classes of its own, with no common base
        words = one_line(error)
        if "allocate" in words or "bad_alloc" in words:
            raise MemoryError from error
        raise UnsafeError(f"cannot be loaded: {shown(words)}: {_NEED}") from error


def _check_outputs(outputs: NDArray[Any], shape: list[int], wanted: int) -> None:
    import numpy as np

    images, *sides, channels = outputs.shape if outputs.ndim == 4 else (0, 0, 0, 0)
    fits = all(1 <= made <= 2 * given for made, given in zip(sides, shape[1:3], strict=True))
    if (images, channels) != (shape[0], wanted) or not fits or outputs.dtype != np.float32:
        said = " x ".join(map(str, outputs.shape))
        raise UnsafeError(f"makes {said} of {' x '.join(map(str, shape))}, not {wanted} channels: {_NEED}")
    if not np.isfinite(outputs).all():
        raise UnsafeError(f"makes numbers that are not finite: {_NEED}")
