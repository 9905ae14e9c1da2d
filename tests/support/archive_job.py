"""``colorize archive`` called in this process, and what it leaves."""

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
    """The exit status of ``colorize archive``, on the local runner unless another one is named."""
    given = [os.fspath(argument) for argument in arguments]
    return status_of(command, given if "--runner" in given else [*given, "--runner", "local"])


def load(path: Path | io.BytesIO) -> Image.Image:
    with Image.open(path) as image:
        image.load()
    return image


def lightness(image: Image.Image) -> NDArray[np.float64]:
    return rgb2lab(np.asarray(image.convert("RGB")))[..., 0]


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder and below."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def results(out: Path) -> dict[str, bytes]:
    """Every file below OUTPUT that is not the job's own record, hidden ones too."""
    return {name: content for name, content in files(out).items() if not name.startswith(_RECORDS)}


def runs(out: Path) -> list[dict[str, object]]:
    """The facts of each run, in their order."""
    return [json.loads(path.read_text()) for path in sorted((out / "_runs").iterdir(), key=os.path.getmtime)]
