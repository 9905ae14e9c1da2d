"""The pure parts of inference: which size the network sees, and the merge that keeps lightness."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import color as reference
from skimage.metrics import peak_signal_noise_ratio

from colorize_core import inference
from colorize_core.color import Floats
from colorize_core.inference import merge, network_size
from colorize_core.recipes import Recipe, load_recipe

LEVELS = np.arange(256, dtype=np.uint8)
ONE_LEVEL_OF_L = 100 / 255
Photographs = dict[str, NDArray[np.uint8]]


def _recipe(side: int, multiple: int, square: bool = False) -> Recipe:
    crop = side if square else multiple
    changed = {
        "data.inference_side": side,
        "data.crop": max(8, crop),
        "model.multiple": multiple,
        "model.square": square,
    }
    return load_recipe("unet-lab", changed)


def _lightness(gray: NDArray[np.uint8]) -> NDArray[np.float64]:
    lightness: NDArray[np.float64] = reference.rgb2lab(np.stack([gray] * 3, axis=-1))[..., 0]
    return lightness


@pytest.mark.parametrize(
    ("width", "height", "side", "multiple", "expected"),
    [
        (3000, 2000, 96, 16, (112, 80)),  # 6 steps: 6 * sqrt(1.5) = 7.3, 6 / sqrt(1.5) = 4.9
        (2000, 3000, 96, 16, (80, 112)),
        (640, 640, 96, 16, (96, 96)),
        (1, 1, 96, 16, (96, 96)),
        (1, 1, 32, 32, (32, 32)),
        (4000, 1000, 96, 8, (192, 48)),  # 4:1
        (10_000, 1000, 96, 16, (304, 32)),  # 6 * sqrt(10) = 19.0, 6 / sqrt(10) = 1.9
        (100_000, 1000, 96, 16, (304, 32)),  # no more than 10:1
        (100, 1, 16, 16, (48, 16)),  # 1 / sqrt(10) is no step: at least one
    ],
)
def test_network_size_by_hand(width: int, height: int, side: int, multiple: int, expected: tuple[int, int]) -> None:
    assert network_size(_recipe(side, multiple), width, height) == expected


@pytest.mark.parametrize("multiple", [1, 8, 16, 32])
@pytest.mark.parametrize("side", [32, 96, 256])
@pytest.mark.parametrize("aspect", [1, 1.5, 3, 9.9, 10, 30, 100])
def test_network_size_keeps_multiple_shape_and_area(aspect: float, side: int, multiple: int) -> None:
    width, height = network_size(_recipe(side, multiple), round(300 * aspect), 300)
    assert width % multiple == height % multiple == 0
    assert width >= height >= multiple
    assert network_size(_recipe(side, multiple), 300, round(300 * aspect)) == (height, width)
    seen = min(aspect, 10)
    assert abs(width - side * seen**0.5) <= multiple / 2 + 1
    assert abs(height - side / seen**0.5) <= max(multiple / 2 + 1, multiple - side / seen**0.5)


@pytest.mark.parametrize("make", ["uint8", "uint16", "rgb"])
def test_merge_keeps_lightness_of_every_gray_under_any_chroma(make: str) -> None:
    ab = np.random.default_rng(3).uniform(-160, 160, (12, 10, 2)).astype(np.float32)
    gray = np.repeat(LEVELS[None], 64, axis=0)  # [64, 256]
    pixels = {"uint8": gray, "uint16": gray.astype(np.uint16) * 257, "rgb": np.stack([gray] * 3, axis=-1)}[make]
    merged = merge(pixels, ab)
    assert (merged.mode, merged.size) == ("RGB", (256, 64))
    lab = reference.rgb2lab(np.asarray(merged))
    assert np.abs(lab[..., 0] - _lightness(gray)).max() <= ONE_LEVEL_OF_L
    assert np.hypot(lab[..., 1], lab[..., 2]).mean() > 10  # it did get colors


def test_merge_uses_all_16_bits() -> None:
    """Between two of 256 levels the result rounds to the nearer one."""
    between = (LEVELS[:-1].astype(np.uint16) * 257) + 200  # 200 of 257 up to the next level
    merged = np.asarray(merge(between[None], np.zeros((1, 1, 2), np.float32)))
    np.testing.assert_array_equal(merged[0], np.stack([LEVELS[1:]] * 3, axis=-1))


def test_merge_ignores_the_color_of_its_input(photographs: Photographs) -> None:
    rgb = photographs["coffee"]
    merged = np.asarray(merge(rgb, np.zeros((4, 4, 2), np.float32)))
    assert np.abs(reference.rgb2lab(merged)[..., 0] - reference.rgb2lab(rgb)[..., 0]).max() <= ONE_LEVEL_OF_L
    assert np.ptp(merged, axis=-1).max() <= 1  # neutral, but for the rounding of each channel


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_merge_of_own_chroma_is_the_photograph(photographs: Photographs, name: str) -> None:
    rgb = photographs[name]
    ab = reference.rgb2lab(rgb)[..., 1:].astype(np.float32)
    np.testing.assert_allclose(np.asarray(merge(rgb, ab), int), rgb, atol=1)


def test_merge_of_reduced_chroma_is_close_to_the_photograph(photographs: Photographs) -> None:
    rgb = photographs["coffee"]
    ab = reference.rgb2lab(rgb)[..., 1:].astype(np.float32)
    small = ab.reshape(100, 4, 150, 4, 2).mean(axis=(1, 3))
    assert peak_signal_noise_ratio(rgb, np.asarray(merge(rgb, small))) > 35
    assert peak_signal_noise_ratio(rgb, np.asarray(merge(rgb, 0 * small))) < 25


@pytest.mark.parametrize("ab_shape", [(5, 7), (48, 64), (300, 451), (500, 600)])
@pytest.mark.parametrize("band", [1, 451 * 7, 451 * 64])
def test_merge_in_bands_has_no_seams(
    photographs: Photographs,
    gray_photographs: Photographs,
    monkeypatch: pytest.MonkeyPatch,
    ab_shape: tuple[int, int],
    band: int,
) -> None:
    planes = Image.fromarray(photographs["chelsea"]).resize(ab_shape[::-1])
    ab: Floats = (reference.rgb2lab(np.asarray(planes))[..., 1:] * 2).astype(np.float32)
    gray = gray_photographs["chelsea"]
    whole = np.asarray(merge(gray, ab), int)
    monkeypatch.setattr(inference, "_BAND_PIXELS", band)
    assert np.abs(np.asarray(merge(gray, ab), int) - whole).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 500), (500, 1), (3, 2)])
def test_merge_of_tiny_and_thin_photographs(height: int, width: int) -> None:
    pixels = np.full((height, width), 120, np.uint8)
    merged = merge(pixels, np.full((4, 12, 2), (30, -20), np.float32))
    assert merged.size == (width, height)
    lab = reference.rgb2lab(np.asarray(merged))
    np.testing.assert_allclose(lab, np.broadcast_to([*_lightness(pixels[:1, :1])[0], 30, -20], lab.shape), atol=1)
