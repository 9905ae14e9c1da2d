"""Toned prints, simulated from color photographs, are not in color; the photographs are."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

from colorize_core.images.color_detection import is_in_color, score

NAMES = ["astronaut", "chelsea", "coffee", "rocket"]
TONES = {  # hue in degrees and chroma in the middle of the scale
    "sepia": (75, 28),
    "faded": (80, 9),
    "selenium": (320, 6),
    "cyanotype": (265, 40),
    "gold": (40, 18),
}


def toned(rgb: NDArray[np.uint8], hue: float, chroma: float, quality: int = 85) -> NDArray[np.uint8]:
    """Returns a simulated print: highest chroma at middle tones, drifting hue, yellow paper, grain, JPEG."""
    lightness = rgb2lab(rgb)[..., 0] * 0.85 + 8
    tone = lightness / 100
    angle = np.deg2rad(hue + 15 * (tone - 0.5))
    strength = chroma * (0.3 + 4 * tone * (1 - tone))
    a, b = strength * np.cos(angle), strength * np.sin(angle) + 5 * tone
    print_ = 255 * lab2rgb(np.stack([lightness, a, b], axis=-1))
    grain = np.random.default_rng(8).normal(0, 4, print_.shape)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(print_ + grain, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tone", TONES)
def test_a_print_of_one_color_is_not_in_color(photographs: dict[str, NDArray[np.uint8]], name: str, tone: str) -> None:
    assert not is_in_color(toned(photographs[name], *TONES[tone]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("faded", [1.0, 0.7])
def test_a_photograph_in_color(photographs: dict[str, NDArray[np.uint8]], name: str, faded: float) -> None:
    lab = rgb2lab(photographs[name]) * (1, faded, faded)
    assert is_in_color(np.rint(255 * lab2rgb(lab)).astype(np.uint8))


@pytest.mark.parametrize("name", NAMES)
def test_gray_in_three_channels(photographs: dict[str, NDArray[np.uint8]], name: str) -> None:
    gray = np.asarray(Image.fromarray(photographs[name]).convert("L").convert("RGB"))
    assert not is_in_color(gray)
    noisy = np.clip(gray + np.random.default_rng(9).normal(0, 6, gray.shape), 0, 255).astype(np.uint8)
    assert not is_in_color(noisy)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (4, 4), (1, 400), (400, 1), (3, 900)])
def test_of_any_shape(shape: tuple[int, int]) -> None:
    few = np.random.default_rng(10).integers(0, 256, (*shape, 3)).astype(np.uint8)
    one = np.broadcast_to(np.array([200, 150, 90], np.uint8), (*shape, 3))
    assert isinstance(is_in_color(few), bool)
    assert not is_in_color(one)


def test_the_size_of_a_scan_does_not_matter(photographs: dict[str, NDArray[np.uint8]]) -> None:
    small = Image.fromarray(photographs["coffee"])
    large = np.asarray(small.resize((2400, 1600), Image.Resampling.LANCZOS))
    assert abs(score(large) - score(photographs["coffee"])) < 0.5
