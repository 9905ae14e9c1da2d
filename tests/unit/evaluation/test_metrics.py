from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import correlate1d
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

from colorize_core import color
from colorize_core.color import colorfulness
from colorize_core.evaluation.metrics import (
    ciede2000,
    colorfulness_difference,
    colorfulness_distance,
    mae,
    mse,
    nazeri_accuracy,
    psnr,
    rmse_ab,
    ssim,
)

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
    assert mae(truth, image) == pytest.approx(float(np.abs(truth[0, 0] / 255 - image[0, 0] / 255).mean()), rel=1e-6)
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


def test_differences_of_colorfulness_by_hand() -> None:
    gray, red = _flat(77, 77, 77), _flat(255, 0, 0)
    expected = 0.3 * math.hypot(255, 127.5)
    assert colorfulness_difference(gray, red) == pytest.approx(expected)
    assert colorfulness_difference(red, gray) == pytest.approx(-expected)
    assert colorfulness_distance(red, gray) == colorfulness_distance(gray, red) == pytest.approx(expected)
    assert colorfulness_distance(red, red) == 0


def test_colorfulness_of_photographs_is_of_the_published_size(photographs: Photographs) -> None:
    """Hasler and Süsstrunk, table 2: 15 slightly, 33 moderately, 59 quite, 82 highly colorful."""
    values = [colorfulness(photographs[name]) for name in NAMES]
    assert all(10 < value < 82 for value in values)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("noise", [0.3, 5, 60])
def test_ssim_is_that_of_the_paper(photographs: Photographs, name: str, noise: float) -> None:
    """Wang et al. (2004), eq. 13, written down anew in double precision; only where the window fits whole."""
    truth, image = photographs[name], _worse(photographs[name], noise)
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def local_mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        return correlate1d(correlate1d(plane, window, axis=0), window, axis=1)[5:-5, 5:-5]

    maps = []
    for x, y in zip(*(np.moveaxis(rgb.astype(np.float64), -1, 0) for rgb in (truth, image)), strict=True):
        mx, my = local_mean(x), local_mean(y)
        vx, vy, vxy = local_mean(x * x) - mx**2, local_mean(y * y) - my**2, local_mean(x * y) - mx * my
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        maps.append((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    assert ssim(truth, image) == pytest.approx(np.mean(maps), abs=1e-5)


def test_ssim_of_equal_and_of_tiny_images() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 11, 3), np.uint8)
    assert ssim(noise, noise) == pytest.approx(1)
    assert math.isnan(ssim(noise[:, :10], noise[:, :10]))


def _lab(*values: float) -> NDArray[np.float32]:
    return np.full((2, 3, 3), values, np.float32)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [  # of the 34 pairs of Sharma, Wu and Dalal (2005), table 1
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0),
        ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (61.0, -5.0, 29.0), 22.8977),
        ((50.0, 2.5, 0.0), (56.0, -27.0, -3.0), 31.9030),
        ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ],
)
def test_ciede2000_is_as_published(
    one: tuple[float, float, float], other: tuple[float, float, float], expected: float
) -> None:
    assert ciede2000(_lab(*one), _lab(*other)) == pytest.approx(expected, abs=1e-4)
    assert ciede2000(_lab(*other), _lab(*one)) == pytest.approx(expected, abs=1e-4)


def test_ciede2000_of_large_images_is_the_mean_of_their_parts(photographs: Photographs) -> None:
    truth = color.rgb_to_lab(np.tile(photographs["coffee"], (2, 2, 1)))
    image = color.rgb_to_lab(np.tile(_worse(photographs["coffee"], 5), (2, 2, 1)))
    quarter = (slice(0, 400), slice(0, 600))
    assert ciede2000(truth, image) == pytest.approx(ciede2000(truth[quarter], image[quarter]), rel=1e-6)


def test_rmse_of_ab_by_hand() -> None:
    assert rmse_ab(_lab(50, 3, 0), _lab(10, 0, 4)) == pytest.approx(math.sqrt((9 + 16) / 2))
    half = np.concatenate([_lab(0, 0, 0), _lab(0, 10, 10)])
    assert rmse_ab(half, np.zeros_like(half)) == pytest.approx(math.sqrt(50))


@pytest.mark.parametrize(
    ("difference", "eps", "expected"),
    [
        ((2.0, 4.4, -4.4), 2, 1.0),
        ((-2.1, 0.0, 0.0), 2, 0.0),
        ((0.0, 4.5, 0.0), 2, 0.0),
        ((0.0, 0.0, -4.5), 2, 0.0),
        ((5.0, -11.0, 11.0), 5, 1.0),
        ((5.0, 11.1, 0.0), 5, 0.0),
    ],
)
def test_nazeri_accuracy_by_hand(difference: tuple[float, float, float], eps: float, expected: float) -> None:
    assert nazeri_accuracy(_lab(0, 0, 0), _lab(*difference), eps) == expected
    half = np.concatenate([_lab(0, 0, 0), _lab(*difference)])
    assert nazeri_accuracy(np.zeros_like(half), half, eps) == (1 + expected) / 2
