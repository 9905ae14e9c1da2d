"""Opens the files of a bundle in a child process that has limits of memory and time, to prove that they are harmless.

``sandbox_process`` is the code of the child process.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from colorize_core.bundle.facts import REMEDY
from colorize_core.errors import BundleError, one_line
from colorize_core.recipes import Recipe

_MEMORY = 1 << 30  # bytes of address space for the child process; the libraries take 0.2 GiB of it
_MEMORY_PER_BYTE = 8  # additional bytes of memory for each byte of the files
_MEMORY_PER_PIXEL = 1 << 10  # additional bytes of memory for each pixel of the largest input beyond _FEW_PIXELS
_FEW_PIXELS = 1 << 17
_MOST_PIXELS = 5 << 18  # most pixels of an input in the optional predictions
_SECONDS = 3  # seconds of CPU time; starting takes 0.4
_BYTES_PER_SECOND = 64 << 20
_PIXELS_PER_SECOND = 1 << 17
_WALL_CLOCK_FACTOR = 4  # wall-clock time over CPU time that is allowed, for CPUs that have other work
_LARGEST_SIDE = 512  # pixels; larger networks are not tried at their full size
_MAX_ASPECT = 3  # the same as in ``inference``
_ASPECT_STEPS = 1000  # between a square and _MAX_ASPECT
_MOST_BETWEEN = 16  # input shapes between the highest and the widest
_LONGEST_ANSWER = 1 << 16  # bytes
_ROOT = str(Path(__file__).parents[2])
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from colorize_core.bundle.sandbox_process import main; main()"
)


def check_in_sandbox(recipe: Recipe, weights: bytes, weights_file: str, onnx: bytes, place: str) -> None:
    """Proves that a bundle's files run no code, read no other file, and take neither all memory nor all time.

    Args:
        recipe: says which inputs the network takes and which outputs it must return.
        weights: content of the weights file.
        weights_file: its name, which says what format it has.
        onnx: content of ``model.onnx``; b'' if the bundle has none.
        place: the bundle's name or folder, for messages.

    Raises:
        BundleError: a file is damaged or unsafe, or the child process could not be started.
    """
    size = len(weights) + len(onnx)
    required, optional = _input_shapes(recipe)
    pixels = sum(math.prod(shape) for shape in required)
    most = min(_MOST_PIXELS, max(math.prod(shape) for shape in [*required, *optional]))
    task = {
        "weights_file": weights_file,
        "file_sizes": [len(weights), len(onnx)],
        "memory": _MEMORY + _MEMORY_PER_BYTE * size + _MEMORY_PER_PIXEL * max(0, most - _FEW_PIXELS),
        "cpu_seconds": _SECONDS + size // _BYTES_PER_SECOND + pixels // _PIXELS_PER_SECOND,
        "required_shapes": required,
        "optional_shapes": [shape for shape in optional if math.prod(shape) <= _MOST_PIXELS],
        "channels": len(recipe.output_channels),
    }
    try:
        answer, status = _run(task, weights, onnx)
    except OSError as error:
        raise BundleError(
            f"model bundle {place} cannot be examined, because no process can be started: {one_line(error)}"
        ) from error
    if "refusal" in answer:
        raise BundleError(f"{answer['file']} of {place} {answer['refusal']}")
    if "done" not in answer:
        what = f"takes more than {task['cpu_seconds']} seconds of CPU time to open"
        if status is not None:
            what = f"ends the process that opens it (status {status})"
        raise BundleError(f"{answer.get('file', weights_file)} of {place} {what}: {REMEDY}")


def _run(task: Mapping[str, Any], weights: bytes, onnx: bytes) -> tuple[dict[str, Any], int | None]:
    """Runs the child process.

    Returns:
        The merged objects that the process wrote, and its exit status, or None if it ran out of time.
    """
    out_of_time = threading.Event()

    def stop() -> None:
        out_of_time.set()
        process.kill()

    search_path = json.dumps([*filter(None, sys.path), _ROOT])
    with subprocess.Popen(  # noqa: S603 # this Python, with our own code
        [sys.executable, "-I", "-c", _START, search_path],  # -I keeps the working folder off the search path
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "-1"},
    ) as process:
        timer = threading.Timer(_WALL_CLOCK_FACTOR * task["cpu_seconds"], stop)
        timer.daemon = True
        timer.start()
        stdin, stdout = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
        try:
            with suppress(BrokenPipeError), stdin:  # the process ended before it read all; its output says why
                stdin.writelines([json.dumps(task).encode() + b"\n", weights, onnx])
            lines = stdout.read(_LONGEST_ANSWER).splitlines()
            status = process.wait()
        finally:
            timer.cancel()
            process.kill()
    answer: dict[str, Any] = {}
    for line in lines:
        with suppress(ValueError):  # an incomplete line
            answer |= json.loads(line)
    return answer, None if out_of_time.is_set() or status == -signal.SIGXCPU else status


def _input_shapes(recipe: Recipe) -> tuple[list[list[int]], list[list[int]]]:
    """Returns the required and the optional input shapes of the predictions, [n, h, w, 1].

    The required ones are a square and, unless the network takes only squares, wide images, and the widest and the
    highest. The optional ones, which are tried as far as time allows, have as many images as ``networks.onnx`` gives a
    network at once, or are the other shapes that ``inference`` makes.
    """
    side, multiple = recipe.data.inference_side, recipe.model.multiple
    if recipe.model.square:
        return [[1, side, side, 1], [2, side, side, 1]], [[n, side, side, 1] for n in (4, 32)]
    steps = max(1, min(recipe.square_side, _LARGEST_SIDE) // multiple)
    square, half = steps * multiple, (steps + 1) // 2 * multiple
    usual = min(side, _LARGEST_SIDE) / multiple
    aspects = [_MAX_ASPECT ** (i / _ASPECT_STEPS) for i in range(-_ASPECT_STEPS, _ASPECT_STEPS + 1)]
    sides = [[max(1, round(usual * aspect**power)) * multiple for power in (-0.5, 0.5)] for aspect in aspects]
    [high, *between, wide] = dict.fromkeys(map(tuple, sides)) if len(set(map(tuple, sides))) > 1 else [sides[0]] * 2
    small = min(2 * multiple, *wide)
    optional = [
        [4, *wide],
        [4, *high],
        [32, small, small],
        *([1, *shape] for shape in between[:: len(between) // _MOST_BETWEEN + 1]),
    ]
    required = [[1, square, square], [2, half, square], [1, *wide], [1, *high]]
    return [[*shape, 1] for shape in required], [[*shape, 1] for shape in optional]
