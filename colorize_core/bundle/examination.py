"""Examines the files of a bundle in a process of its own, which has a limit of memory and of time."""

from __future__ import annotations

import json
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
_SECONDS = 3  # of one CPU; starting takes 0.4
_BYTES_PER_SECOND = 64 << 20
_PATIENCE = 4  # times that long the process may take where the CPUs have other work
_LARGEST_TRIAL = 512  # pixels on a side; larger networks are not seen at their full size
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
    task = {
        "sizes": [len(weights), len(onnx)],
        "bytes": _MEMORY + _MEMORY_PER_BYTE * size,
        "seconds": _SECONDS + size // _BYTES_PER_SECOND,
        "shapes": _shapes(recipe),
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


def _shapes(recipe: Recipe) -> list[list[int]]:
    """Gives the inputs of the trial, [n, h, w, 1]: a square, and where the network takes them two wide pictures."""
    side, multiple = recipe.data.inference_side, recipe.model.multiple
    if recipe.model.square:
        return [[1, side, side, 1], [2, side, side, 1]]
    steps = max(1, min(recipe.square_side, _LARGEST_TRIAL) // multiple)
    return [[1, steps * multiple, steps * multiple, 1], [2, (steps + 1) // 2 * multiple, steps * multiple, 1]]
