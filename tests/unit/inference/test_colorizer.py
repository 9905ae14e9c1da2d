"""Inference without a network file: the size that the network sees, and merging, which keeps lightness."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import color as reference
from skimage.metrics import peak_signal_noise_ratio

from colorize_core.color import Floats
from colorize_core.images import lazy_image, resizing
from colorize_core.inference.merging import merge
from colorize_core.preprocessing.network_size import margins_of, network_size
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
        (3000, 1000, 96, 8, (168, 56)),  # 12 * sqrt(3) = 20.8, 12 / sqrt(3) = 6.9
        (6000, 1000, 96, 8, (168, 28)),  # half of that
        (3000, 1000, 96, 16, (160, 48)),  # 6 * sqrt(3) = 10.4, 6 / sqrt(3) = 3.5
        (1000, 10_000, 96, 16, (14, 160)),  # 48 * 3 / 10
        (100_000, 1, 96, 16, (160, 1)),
    ],
)
def test_network_size_by_hand(width: int, height: int, side: int, multiple: int, expected: tuple[int, int]) -> None:
    assert network_size(_recipe(side, multiple), width, height) == expected


@pytest.mark.parametrize("multiple", [1, 8, 16, 32])
@pytest.mark.parametrize("side", [32, 96, 256])
@pytest.mark.parametrize("aspect", [1, 1.5, 2.6, 3, 3.01, 9.9, 10, 30, 100])
def test_network_size_keeps_multiple_shape_and_area(aspect: float, side: int, multiple: int) -> None:
    recipe = _recipe(side, multiple)
    width, height = network_size(recipe, round(300 * aspect), 300)
    assert network_size(recipe, 300, round(300 * aspect)) == (height, width)
    (above, below), (left, right) = margins_of(recipe, width, height)
    assert (left, right) == (0, 0)
    assert 0 <= below - above <= 1
    assert aspect > 3 or above + below == 0
    picture = height + above + below  # a strip is seen in a picture of 3:1
    assert width % multiple == picture % multiple == 0
    assert width >= picture >= multiple
    seen = min(aspect, 3)
    assert abs(width - side * seen**0.5) <= multiple / 2 + 1
    assert abs(picture - side / seen**0.5) <= max(multiple / 2 + 1, multiple - side / seen**0.5)
    assert abs(height - max(1, picture * min(1, 3 / aspect))) <= 0.51


def test_a_network_of_fixed_size_sees_all_shapes_in_its_square() -> None:
    recipe = _recipe(32, 8, square=True)
    for width, height in ((1, 1), (5, 1), (1, 1000)):
        assert network_size(recipe, width, height) == (32, 32)
    assert margins_of(recipe, 32, 32) == ((0, 0), (0, 0))


@pytest.mark.parametrize("upright", [False, True])
def test_a_strip_has_the_colors_of_the_picture_that_it_makes_with_its_mirror_image(upright: bool) -> None:
    from colorize_core import Colorizer, load_bundle

    bundle = load_bundle("default")
    colorizer = Colorizer(bundle)
    rng = np.random.default_rng(1)
    strip = np.clip(np.cumsum(rng.normal(0, 9, (60, 900)), axis=1) + 128, 0, 255).astype(np.uint8)
    strip = strip.T.copy() if upright else strip
    wide, high = colorizer.size_for(strip.shape[1], strip.shape[0])
    small = resizing.resize(strip, (wide, high))
    [ab] = colorizer.predict([small])
    assert ab.shape == (high // 2, wide // 2, 2)
    (above, below), (left, right) = margins_of(bundle.recipe, wide, high)
    picture = np.pad(small, ((above, below), (left, right)), "symmetric")
    [whole] = colorizer.predict([picture])
    scale = whole.shape[0] / picture.shape[0]
    rows, columns = slice(round(above * scale), None), slice(round(left * scale), None)
    part = whole[rows, columns][: round(high * scale), : round(wide * scale)]
    assert np.abs(ab.mean((0, 1)) - part.mean((0, 1))).max() < 1
    assert np.abs(ab).max() > 2


def test_mirrored_colors_are_the_mean_of_both() -> None:
    from colorize_core import Colorizer, load_bundle

    bundle = load_bundle("default")
    alone, both = (
        Colorizer(dataclasses.replace(bundle, recipe=load_recipe("unet-lite", {"data.mirrored": mirrored})))
        for mirrored in (False, True)
    )
    gray = np.clip(np.cumsum(np.random.default_rng(2).normal(0, 9, (96, 160)), axis=1) + 128, 0, 255).astype(np.uint8)
    mirror = np.ascontiguousarray(gray[:, ::-1])
    [of_it], [of_mirror] = alone.predict([gray]), alone.predict([mirror])
    assert np.abs(of_it - of_mirror[:, ::-1]).max() > 1
    np.testing.assert_allclose(both.predict([gray])[0], (of_it + of_mirror[:, ::-1]) / 2, atol=0.02)
    np.testing.assert_allclose(both.predict([mirror])[0][:, ::-1], both.predict([gray])[0], atol=0.02)


@pytest.mark.parametrize("make", ["uint8", "uint16", "rgb"])
def test_merge_keeps_lightness_of_every_gray_under_any_chroma(make: str) -> None:
    ab = np.random.default_rng(3).uniform(-160, 160, (12, 10, 2)).astype(np.float32)
    gray = np.repeat(LEVELS[None], 64, axis=0)  # [64, 256]
    pixels = {"uint8": gray, "uint16": gray.astype(np.uint16) * 257, "rgb": np.stack([gray] * 3, axis=-1)}[make]
    merged = merge(pixels, ab)
    assert (merged.dtype, merged.shape) == (np.uint8, (64, 256, 3))
    lab = reference.rgb2lab(merged)
    assert np.abs(lab[..., 0] - _lightness(gray)).max() <= ONE_LEVEL_OF_L
    assert np.hypot(lab[..., 1], lab[..., 2]).mean() > 10  # it did get colors


def test_merge_uses_all_16_bits() -> None:
    """Lightness between two of 256 levels is rounded to the nearer one."""
    between = (LEVELS[:-1].astype(np.uint16) * 257) + 200  # 200 of 257 up to the next level
    merged = merge(between[None], np.zeros((1, 1, 2), np.float32))
    np.testing.assert_array_equal(merged[0], np.stack([LEVELS[1:]] * 3, axis=-1))


@pytest.mark.parametrize("in_color", [False, True])
def test_merge_to_16_bits_keeps_all_tones(in_color: bool) -> None:
    gray = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    ab = np.random.default_rng(3).uniform(-90, 90, (9, 7, 2)).astype(np.float32)
    merged = merge(np.stack([gray] * 3, axis=-1) if in_color else gray, ab, np.uint16)
    lightness = reference.rgb2lab(merged)[..., 0]  # of 16 bits, by scikit-image
    assert merged.dtype == np.uint16
    assert np.abs(lightness - reference.rgb2lab(np.stack([gray] * 3, axis=-1))[..., 0]).max() < 100 / 4096 / 4
    assert len(np.unique(merged[..., 1])) > 20_000


def test_merge_ignores_the_color_of_its_input(photographs: Photographs) -> None:
    rgb = photographs["coffee"]
    merged = merge(rgb, np.zeros((4, 4, 2), np.float32))
    assert np.abs(reference.rgb2lab(merged)[..., 0] - reference.rgb2lab(rgb)[..., 0]).max() <= ONE_LEVEL_OF_L
    assert np.ptp(merged, axis=-1).max() <= 1  # neutral, but for the rounding of each channel


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_merge_of_own_chroma_is_the_photograph(photographs: Photographs, name: str) -> None:
    rgb = photographs[name]
    ab = reference.rgb2lab(rgb)[..., 1:].astype(np.float32)
    np.testing.assert_allclose(merge(rgb, ab).astype(int), rgb, atol=1)


def test_merge_of_reduced_chroma_is_close_to_the_photograph(photographs: Photographs) -> None:
    rgb = photographs["coffee"]
    ab = reference.rgb2lab(rgb)[..., 1:].astype(np.float32)
    small = ab.reshape(100, 4, 150, 4, 2).mean(axis=(1, 3))
    assert peak_signal_noise_ratio(rgb, merge(rgb, small)) > 35
    assert peak_signal_noise_ratio(rgb, merge(rgb, 0 * small)) < 25


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
    whole = merge(gray, ab)
    monkeypatch.setattr(lazy_image, "BAND_PIXELS", band)
    np.testing.assert_array_equal(merge(gray, ab), whole)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 500), (500, 1), (3, 2)])
def test_merge_of_tiny_and_thin_photographs(height: int, width: int) -> None:
    pixels = np.full((height, width), 120, np.uint8)
    merged = merge(pixels, np.full((4, 12, 2), (30, -20), np.float32))
    assert merged.shape == (height, width, 3)
    lab = reference.rgb2lab(merged)
    np.testing.assert_allclose(lab, np.broadcast_to([*_lightness(pixels[:1, :1])[0], 30, -20], lab.shape), atol=1)
