"""PNG files: every reader at hand finds the pixels that were written; filters and bands change nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from colorize_core.images import lazy_image, png
from colorize_core.images.lazy_image import LazyImage

RNG = np.random.default_rng(0)
Reader = Callable[[bytes], NDArray[Any]]
READERS: dict[str, Reader] = {
    "libpng": imagecodecs.png_decode,
    "Pillow": lambda file: np.asarray(Image.open(io.BytesIO(file))),
    "OpenCV": lambda file: cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR_RGB),
}
Photographs = dict[str, NDArray[np.uint8]]
SHAPES = [(1, 1), (1, 50), (50, 1), (37, 41)]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("level", [0, 1, 5, 9])
@pytest.mark.parametrize("size", SHAPES)
def test_readers_find_what_was_written(reader: str, level: int, size: tuple[int, int]) -> None:
    pixels = RNG.integers(0, 256, (*size, 3), np.uint8)
    np.testing.assert_array_equal(READERS[reader](png.encode(pixels, level)), pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_depths_and_channels(dtype: type[np.unsignedinteger[Any]], channels: tuple[int, ...]) -> None:
    pixels = RNG.integers(0, np.iinfo(dtype).max, (23, 31, *channels), dtype)
    np.testing.assert_array_equal(imagecodecs.png_decode(png.encode(pixels)), pixels)


def _print() -> NDArray[np.uint8]:
    """Returns black text on white, [400, 600, 3]."""
    page = Image.new("RGB", (600, 400), "white")
    for line in range(20):
        ImageDraw.Draw(page).text((10, 20 * line), "the quick brown fox jumps over the lazy dog " * 2, fill="black")
    return np.asarray(page)


@pytest.mark.parametrize("kind", ["photograph", "noise", "rows", "columns", "print"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_files_are_as_small_as_those_of_libpng(
    photographs: Photographs, kind: str, dtype: type[np.unsignedinteger[Any]]
) -> None:
    photograph = photographs["coffee"]
    grain = photograph.astype(int) + RNG.normal(0, 8, (*photograph.shape[:2], 1)).round().astype(int)
    ramp = np.linspace(0, 255, 600).astype(np.uint8)
    images = {
        "photograph": photograph,
        "noise": np.clip(grain, 0, 255).astype(np.uint8),
        "rows": np.repeat(np.tile(ramp[:, None], (1, 400))[..., None], 3, axis=-1),
        "columns": np.repeat(np.tile(ramp, (400, 1))[..., None], 3, axis=-1),
        "print": _print(),
    }
    pixels = images[kind].astype(dtype) * (257 if dtype == np.uint16 else 1)
    ours, theirs = png.encode(pixels), bytes(imagecodecs.png_encode(pixels, level=1))
    assert len(ours) < 1.1 * len(theirs) + 2000  # gradients pack to a few kB
    np.testing.assert_array_equal(imagecodecs.png_decode(ours), pixels)


def test_bands_make_the_same_pixels(photographs: Photographs, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = photographs["chelsea"]
    asked = []

    def compute(top: int, bottom: int) -> NDArray[np.uint8]:
        asked.append(bottom - top)
        return pixels[top:bottom]

    monkeypatch.setattr(lazy_image, "IN_MEMORY_PIXELS", 100)
    monkeypatch.setattr(lazy_image, "BAND_PIXELS", 7 * pixels.shape[1])
    file = png.encode(LazyImage(pixels.shape, np.uint8, compute))
    assert max(asked) <= max(7, len(pixels) // 6)
    for read in READERS.values():
        np.testing.assert_array_equal(read(file), pixels)
