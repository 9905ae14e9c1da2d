"""Colorizes a folder as fast as this machine can: a process per CPU, the fastest codecs, ONNX Runtime, nothing else.

    python -m tests.benchmarks.hand_tuned INPUT OUTPUT --format png [--model default] [--processes 2]

No Ray, no ledger, no metadata, no thumbnails, no test for color, no file that could be damaged: the limit for
``tests.benchmarks.against``. Reads gray JPEG files and uncompressed gray TIFF files.
"""

from __future__ import annotations

import argparse
import io
import os
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from colorize_core import load_bundle
from colorize_core.images import png, resizing
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.merging import merge

BATCH = 4


@lru_cache(maxsize=1)
def _colorizer(model: str) -> Colorizer:
    cv2.setNumThreads(1)
    return Colorizer(load_bundle(model), threads=1)


def _read(path: Path) -> NDArray[Any]:
    if path.suffix == ".tif":
        return np.asarray(tifffile.imread(path))
    return np.asarray(imagecodecs.jpeg8_decode(path.read_bytes()))


def _write(pixels: NDArray[Any], path: Path, file_format: str) -> None:
    if file_format == "tiff":
        file = io.BytesIO()
        tifffile.imwrite(file, pixels, compression="lzw", predictor=True)
        content = file.getvalue()
    else:
        content = (
            png.encode(pixels) if file_format == "png" else imagecodecs.jpeg8_encode(pixels, 92, subsampling="444")
        )
    path.with_suffix(f".{file_format}").write_bytes(content)


def _colorize(paths: list[Path], output: Path, file_format: str, model: str) -> None:
    colorizer = _colorizer(model)
    photographs = [_read(path) for path in paths]
    small = [
        photograph if photograph.dtype == np.uint8 else (photograph >> 8).astype(np.uint8) for photograph in photographs
    ]
    inputs = [resizing.resize(gray, colorizer.size_for(*gray.shape[::-1])) for gray in small]
    for path, photograph, ab in zip(paths, photographs, colorizer.predict(inputs), strict=True):
        dtype = np.uint16 if photograph.dtype == np.uint16 and file_format in ("png", "tiff") else np.uint8
        _write(merge(photograph, ab, dtype), output / path.name, file_format)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--format", choices=("png", "jpeg", "tiff"), default="png")
    parser.add_argument("--model", default="default")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True)
    paths = sorted(arguments.input.iterdir())
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    with ProcessPoolExecutor(arguments.processes) as pool:
        calls = [
            pool.submit(_colorize, batch, arguments.output, arguments.format, arguments.model) for batch in batches
        ]
        for call in calls:
            call.result()


if __name__ == "__main__":
    main()
