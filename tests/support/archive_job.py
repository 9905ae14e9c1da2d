"""Calls of ``colorize archive`` in this process, and readers of its results."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2lab

from jobs.archive import command
from jobs.exits import status_of

_RECORDS = ("_ledger/", "_partial/", "_report/", "_runs/")


def archive(*arguments: str | os.PathLike[str]) -> int:
    """Runs ``colorize archive``, on the local runner unless another one is named; returns the exit status."""
    given = [os.fspath(argument) for argument in arguments]
    return status_of(command, given if "--runner" in given else [*given, "--runner", "local"])


def load(path: Path | io.BytesIO) -> Image.Image:
    with Image.open(path) as image:
        image.load()
    return image


def lightness(image: Image.Image) -> NDArray[np.float64]:
    return rgb2lab(np.asarray(image.convert("RGB")))[..., 0]


def files(folder: Path) -> dict[str, bytes]:
    """Returns the files in a folder and its subfolders, by relative path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def results(out: Path) -> dict[str, bytes]:
    """Returns the files below OUTPUT, also hidden ones, without the job's own records."""
    return {name: content for name, content in files(out).items() if not name.startswith(_RECORDS)}


def runs(out: Path) -> list[dict[str, object]]:
    """Returns the facts of each run, the oldest first."""
    return [json.loads(path.read_text()) for path in sorted((out / "_runs").iterdir(), key=os.path.getmtime)]
