"""Examines the files of a bundle in a process of its own, which has a limit of memory and of time."""

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

from colorize_core.errors import BundleError, one_line
from colorize_core.recipes import Recipe

_MEMORY = 1 << 30  # bytes of address space that the process may have, of which the libraries take 0.2 GiB
_MEMORY_PER_BYTE = 8  # of the files
_MEMORY_PER_PIXEL = 1 << 10  # of the largest input, beyond _FEW_PIXELS
_FEW_PIXELS = 1 << 17
_MOST_PIXELS = 5 << 18  # of an input that the trial takes if it has time
_SECONDS = 3  # of one CPU; starting takes 0.4
_BYTES_PER_SECOND = 64 << 20
_PIXELS_PER_SECOND = 1 << 17
_PATIENCE = 4  # times that long the process may take where the CPUs have other work
_LARGEST_TRIAL = 512  # pixels on a side; larger networks are not seen at their full size
_MAX_ASPECT = 3  # as in ``inference``
_ASPECTS = 1000  # from a square to that
_MOST_BETWEEN = 16  # shapes of pictures, between the highest and the widest
_LONGEST_ANSWER = 1 << 16
_NEED = "fetch it again or train anew"
_ROOT = str(Path(__file__).parents[2])
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from colorize_core.bundle.trial import main; main()"


def examine(recipe: Recipe, weights: bytes, onnx: bytes, place: str) -> None:
    """Proves that a bundle's files are harmless: nothing in them runs, reads other files, or takes all memory or time.

    Args:
        recipe: says what the network takes and gives.
        weights: content of ``model.keras``.
        onnx: content of ``model.onnx``; b'' for none.
        place: the bundle, for messages.

    Raises:
        BundleError: they are not.
    """
    size = len(weights) + len(onnx)
    shapes, more = _shapes(recipe)
    pixels = sum(math.prod(shape) for shape in shapes)
    most = min(_MOST_PIXELS, max(math.prod(shape) for shape in [*shapes, *more]))
    task = {
        "sizes": [len(weights), len(onnx)],
        "bytes": _MEMORY + _MEMORY_PER_BYTE * size + _MEMORY_PER_PIXEL * max(0, most - _FEW_PIXELS),
        "seconds": _SECONDS + size // _BYTES_PER_SECOND + pixels // _PIXELS_PER_SECOND,
        "shapes": shapes,
        "more": [shape for shape in more if math.prod(shape) <= _MOST_PIXELS],
        "channels": 2 if recipe.data.color_space == "lab" else 3,
    }
    try:
        said, ended = _run(task, weights, onnx)
    except OSError as error:
        raise BundleError(f"model bundle {place} cannot be examined, no process starts: {one_line(error)}") from error
    if "wrong" in said:
        raise BundleError(f"{said['file']} of {place} {said['wrong']}")
    if "done" not in said:
        what = f"takes more than {task['seconds']} seconds of a CPU to open"
        if ended is not None:
            what = f"ends the process that opens it (status {ended})"
        raise BundleError(f"{said.get('file', 'model.keras')} of {place} {what}: {_NEED}")


def _run(task: Mapping[str, Any], weights: bytes, onnx: bytes) -> tuple[dict[str, Any], int | None]:
    """Gives what the process said, and the status with which it ended; None where it ran out of time."""
    out_of_time = threading.Event()

    def stop() -> None:
        out_of_time.set()
        process.kill()

    with subprocess.Popen(  # noqa: S603 # this Python, with our own code
        [
            sys.executable,
            "-I",
            "-c",
            _START,
            json.dumps([*filter(None, sys.path), _ROOT]),
        ],  # -I: not the working folder
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "-1"},
    ) as process:
        clock = threading.Timer(_PATIENCE * task["seconds"], stop)
        clock.daemon = True
        clock.start()
        stdin, stdout = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
        try:
            with suppress(BrokenPipeError), stdin:  # it ended before it read all; what it said tells why
                stdin.writelines([json.dumps(task).encode() + b"\n", weights, onnx])
            lines = stdout.read(_LONGEST_ANSWER).splitlines()
            ended = process.wait()
        finally:
            clock.cancel()
            process.kill()
    said: dict[str, Any] = {}
    for line in lines:
        with suppress(ValueError):  # half a line
            said |= json.loads(line)
    return said, None if out_of_time.is_set() or ended == -signal.SIGXCPU else ended


def _shapes(recipe: Recipe) -> tuple[list[list[int]], list[list[int]]]:
    """Gives the inputs of the trial, [n, h, w, 1], and further ones that it takes as far as its time allows.

    The first are a square and, where the network takes them, wide pictures and the widest and highest. The others have
    as many images as ``networks.onnx`` shows a network at once, or the other shapes that ``inference`` makes.
    """
    side, multiple = recipe.data.inference_side, recipe.model.multiple
    if recipe.model.square:
        return [[1, side, side, 1], [2, side, side, 1]], [[n, side, side, 1] for n in (4, 32)]
    steps = max(1, min(recipe.square_side, _LARGEST_TRIAL) // multiple)
    square, half = steps * multiple, (steps + 1) // 2 * multiple
    shown = min(side, _LARGEST_TRIAL) / multiple
    aspects = [_MAX_ASPECT ** (i / _ASPECTS) for i in range(-_ASPECTS, _ASPECTS + 1)]
    sides = [[max(1, round(shown * aspect**power)) * multiple for power in (-0.5, 0.5)] for aspect in aspects]
    [high, *between, wide] = dict.fromkeys(map(tuple, sides)) if len(set(map(tuple, sides))) > 1 else [sides[0]] * 2
    small = min(2 * multiple, *wide)
    more = [
        [4, *wide],
        [4, *high],
        [32, small, small],
        *([1, *shape] for shape in between[:: len(between) // _MOST_BETWEEN + 1]),
    ]
    shapes = [[1, square, square], [2, half, square], [1, *wide], [1, *high]]
    return [[*shape, 1] for shape in shapes], [[*shape, 1] for shape in more]
