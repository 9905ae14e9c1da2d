from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

from colorize_core.evaluation.metrics import colorfulness, mse, psnr

Photographs = dict[str, NDArray[np.uint8]]
NAMES = ["astronaut", "chelsea", "coffee", "rocket"]


def _flat(*rgb: int) -> NDArray[np.uint8]:
    return np.full((4, 6, 3), rgb, np.uint8)


def _worse(rgb: NDArray[np.uint8], noise: float) -> NDArray[np.uint8]:
    noisy = rgb + np.random.default_rng(2).normal(0, noise, rgb.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("noise", [0.3, 5, 60])
def test_errors_are_those_of_scikit_image(photographs: Photographs, name: str, noise: float) -> None:
    truth = photographs[name]
    image = _worse(truth, noise)
    assert mse(truth, image) == pytest.approx(mean_squared_error(truth / 255, image / 255), rel=1e-5)
    assert psnr(truth, image) == pytest.approx(peak_signal_noise_ratio(truth, image), abs=1e-4)
    assert (mse(image, truth), psnr(image, truth)) == (mse(truth, image), psnr(truth, image))


@pytest.mark.parametrize(
    ("truth", "image", "error", "decibels"),
    [
        (_flat(0, 0, 0), _flat(255, 255, 255), 1.0, 0.0),
        (_flat(9, 9, 9), _flat(9, 9, 9), 0.0, math.inf),
        (_flat(200, 0, 0), _flat(149, 0, 0), 0.2**2 / 3, 10 * math.log10(75)),  # 51 of 255 in one of three channels
        (_flat(0, 1, 255), _flat(1, 0, 254), 1 / 255**2, 20 * math.log10(255)),
    ],
)
def test_errors_by_hand(truth: NDArray[np.uint8], image: NDArray[np.uint8], error: float, decibels: float) -> None:
    assert mse(truth, image) == pytest.approx(error, rel=1e-6, abs=1e-12)
    assert psnr(truth, image) == pytest.approx(decibels, abs=1e-4)


def _half(left: tuple[int, int, int], right: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.concatenate([_flat(*left), _flat(*right)], axis=1)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (_flat(77, 77, 77), 0.0),
        (_half((0, 0, 0), (255, 255, 255)), 0.0),
        # rg = 255, yb = 127.5, nothing varies: 0.3 * hypot(255, 127.5)
        (_flat(255, 0, 0), 0.3 * math.hypot(255, 127.5)),
        (_flat(0, 0, 255), 76.5),
        # rg = +255 and -255, yb = 127.5: hypot(255, 0) + 0.3 * hypot(0, 127.5)
        (_half((255, 0, 0), (0, 255, 0)), 293.25),
        # rg = 0, yb = +255 and -255: 255 + 0
        (_half((255, 255, 0), (0, 0, 255)), 255.0),
    ],
)
def test_colorfulness_by_hand(image: NDArray[np.uint8], expected: float) -> None:
    assert colorfulness(image) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_colorfulness_falls_with_saturation(photographs: Photographs, name: str) -> None:
    rgb = photographs[name]
    gray = np.asarray(Image.fromarray(rgb).convert("L").convert("RGB"))
    half = np.rint((rgb.astype(float) + gray) / 2).astype(np.uint8)
    assert colorfulness(gray) == 0
    assert colorfulness(half) == pytest.approx(colorfulness(rgb) / 2, rel=0.02)


def test_colorfulness_of_photographs_is_of_the_published_size(photographs: Photographs) -> None:
    """Hasler and Süsstrunk, table 2: 15 slightly, 33 moderately, 59 quite, 82 highly colorful."""
    values = [colorfulness(photographs[name]) for name in NAMES]
    assert all(10 < value < 82 for value in values)
