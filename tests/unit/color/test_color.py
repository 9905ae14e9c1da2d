"""sRGB and Lab compared with scikit-image; ``join`` keeps L."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import color as reference

from colorize_core import color
from colorize_core.color import Floats, GrayFormula, joining

LEVELS = np.arange(256, dtype=np.uint8)
ONE_LEVEL_OF_L = 100 / 255  # "within 1 of 255", in units of L
Photographs = dict[str, NDArray[np.uint8]]


def _every_gray_with_every_ab() -> tuple[Floats, Floats]:
    """Returns L [256, n] for all gray levels, and ab [256, n, 2] on a grid that reaches far outside the gamut."""
    steps = np.arange(-160, 161, 16, dtype=np.float32)
    ab = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    lightness = reference.rgb2lab(np.stack([LEVELS] * 3, axis=-1))[:, 0].astype(np.float32)
    return np.repeat(lightness[:, None], len(ab), axis=1), np.repeat(ab[None], 256, axis=0)


@pytest.mark.parametrize(
    ("value", "linear"),
    [(0.0, 0.0), (0.04045, 0.04045 / 12.92), (0.5, 0.21404114), (0.735357, 0.5), (1.0, 1.0)],
)
def test_srgb_to_linear_has_the_standards_values(value: float, linear: float) -> None:
    assert color.srgb_to_linear(np.array([value])) == pytest.approx([linear], abs=1e-6)
    assert color.linear_to_srgb(np.array([linear])) == pytest.approx([value], abs=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_mean_fractions_of_full_range(dtype: type[np.unsignedinteger[Any]]) -> None:
    top = np.iinfo(dtype).max
    values = np.linspace(0, top, 200).astype(dtype)
    for convert in (color.srgb_to_linear, color.lightness):
        assert convert(values).dtype == np.float32
        np.testing.assert_allclose(convert(values), convert(values / top), atol=1e-5)


def test_linear_to_srgb_clips() -> None:
    np.testing.assert_array_equal(color.linear_to_srgb(np.array([-0.5, 0.0, 1.0, 7.0])), [0, 0, 1, 1])


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_lab_is_that_of_scikit_image(photographs: Photographs, name: str) -> None:
    rgb = photographs[name]
    lab = color.rgb_to_lab(rgb)
    assert lab.dtype == np.float32
    np.testing.assert_allclose(lab, reference.rgb2lab(rgb), atol=0.006)  # their white point is 2e-5 off
    np.testing.assert_allclose(color.rgb_to_lab(rgb / 255), lab, atol=1e-3)
    np.testing.assert_allclose(color.lab_to_rgb(lab), rgb / 255, atol=1e-4)
    np.testing.assert_allclose(color.rgb_lightness(rgb), reference.rgb2lab(rgb)[..., 0], atol=0.01)


def test_lab_to_rgb_is_that_of_scikit_image() -> None:
    lab = np.stack(np.meshgrid([20.0, 50.0, 80.0], [-15.0, 0.0, 15.0], [-15.0, 0.0, 15.0]), axis=-1)
    np.testing.assert_allclose(color.lab_to_rgb(lab), reference.lab2rgb(lab), atol=2e-4)


def test_gray_has_no_chroma() -> None:
    lab = color.rgb_to_lab(np.stack([LEVELS] * 3, axis=-1))
    np.testing.assert_allclose(lab[:, 1:], 0, atol=5e-5)
    np.testing.assert_allclose(color.lightness(LEVELS), lab[:, 0], atol=1e-4)
    assert (lab[0, 0], lab[255, 0]) == pytest.approx((0, 100), abs=1e-5)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("luminance", [0.299, 0.587, 0.114, 1.0]),
        ("average", [1 / 3, 1 / 3, 1 / 3, 1.0]),
        # The neutral color of the same relative luminance: 0.2127, 0.7152, 0.0722 of linear light.
        ("lightness", [0.498465, 0.862692, 0.297623, 1.0]),
    ],
)
def test_gray_of_the_primaries_and_white(formula: GrayFormula, expected: list[float]) -> None:
    rgb = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8)
    assert color.gray(rgb, formula) == pytest.approx(expected, abs=3e-4)


def test_gray_by_lightness_keeps_lightness(photographs: Photographs) -> None:
    rgb = photographs["coffee"]
    gray = color.gray(rgb, "lightness")
    np.testing.assert_allclose(
        reference.rgb2lab(np.stack([gray] * 3, axis=-1))[..., 0], reference.rgb2lab(rgb)[..., 0], atol=0.01
    )


@pytest.mark.parametrize("name", ["astronaut", "rocket"])
def test_join_puts_a_photograph_together_again(photographs: Photographs, name: str) -> None:
    lab = reference.rgb2lab(photographs[name]).astype(np.float32)
    joined = color.join(lab[..., 0], lab[..., 1:])
    assert joined.dtype == np.uint8
    np.testing.assert_allclose(joined.astype(int), photographs[name], atol=1)


def test_join_keeps_every_color_of_the_gamut_also_on_its_edges() -> None:
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
    lab = reference.rgb2lab(cube).astype(np.float32)
    np.testing.assert_array_equal(color.join(lab[..., 0], lab[..., 1:]), cube)


def test_join_without_chroma_gives_the_gray_itself() -> None:
    joined = color.join(color.lightness(LEVELS), np.zeros((256, 2), np.float32))
    np.testing.assert_array_equal(joined, np.stack([LEVELS] * 3, axis=-1))


def test_join_keeps_lightness_of_every_gray_under_any_chroma() -> None:
    lightness, ab = _every_gray_with_every_ab()
    joined = reference.rgb2lab(color.join(lightness, ab))
    assert np.abs(joined[..., 0] - lightness).max() <= ONE_LEVEL_OF_L


def test_join_to_16_bits_keeps_lightness_to_a_quarter_of_4096th() -> None:
    gray = np.arange(65536, dtype=np.uint16)
    ab = np.random.default_rng(4).uniform(-128, 128, (65536, 2)).astype(np.float32)
    lightness = color.lightness(gray)
    joined = color.join(lightness, ab, np.uint16)
    assert joined.dtype == np.uint16
    assert np.abs(reference.rgb2lab(joined)[..., 0] - lightness).max() < 100 / 4096 / 4
    np.testing.assert_array_equal(color.join(lightness, 0 * ab, np.uint16), np.stack([gray] * 3, axis=-1))


def test_join_takes_chroma_away_and_only_what_does_not_fit() -> None:
    lightness, ab = _every_gray_with_every_ab()
    joined = color.join(lightness, ab)
    lab = reference.rgb2lab(joined)
    wanted, got = np.hypot(*np.moveaxis(ab, -1, 0)), np.hypot(lab[..., 1], lab[..., 2])
    assert (got - wanted).max() < 1.5  # the rounding of 8 bits
    linear = color.srgb_to_linear(joined)
    at_the_edge = (linear.min(axis=-1) < 0.003) | (linear.max(axis=-1) > 0.99)
    kept = np.abs(got - wanted) < 1.5
    assert (at_the_edge | kept).all()
    assert 0.05 < kept.mean() < 0.5


def test_join_keeps_hue() -> None:
    lightness, ab = _every_gray_with_every_ab()
    lab = reference.rgb2lab(color.join(lightness, ab))
    turned = np.angle(np.exp(1j * (np.arctan2(lab[..., 2], lab[..., 1]) - np.arctan2(ab[..., 1], ab[..., 0]))))
    colorful = np.hypot(lab[..., 1], lab[..., 2]) > 20
    assert colorful.mean() > 0.5
    assert np.degrees(np.abs(turned[colorful])).max() < 3


def test_join_works_in_chunks_of_any_size_on_any_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    lightness = rng.uniform(0, 100, (3, 4, 5)).astype(np.float32)
    ab = rng.uniform(-128, 128, (3, 4, 5, 2)).astype(np.float32)
    whole = color.join(lightness, ab)
    monkeypatch.setattr(joining, "_CHUNK", 7)
    assert whole.shape == (3, 4, 5, 3)
    np.testing.assert_array_equal(color.join(lightness, ab), whole)
    np.testing.assert_array_equal(color.join(lightness[1, 2], ab[1, 2]), whole[1, 2])


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.float64]]:
    """Values from tests/golden/regenerate.py."""
    values = json.loads((Path(__file__).parents[2] / "golden" / "color.json").read_text())
    return {name: np.array(values[name]) for name in ("rgb", "lab", "linear_light_gray")}


def test_golden_lab(golden: dict[str, NDArray[np.float64]]) -> None:
    rgb = golden["rgb"].astype(np.uint8)
    np.testing.assert_allclose(color.rgb_to_lab(rgb), golden["lab"], atol=0.01)
    np.testing.assert_allclose(color.rgb_lightness(rgb), golden["lab"][:, 0], atol=0.02)


def test_golden_grays(golden: dict[str, NDArray[np.float64]]) -> None:
    rgb = golden["rgb"].astype(np.uint8)
    np.testing.assert_allclose(color.gray(rgb, "lightness"), golden["linear_light_gray"], atol=1e-4)
    np.testing.assert_allclose(color.gray(rgb, "luminance"), golden["rgb"] @ [0.299, 0.587, 0.114] / 255, atol=1e-6)
    np.testing.assert_allclose(color.gray(rgb, "average"), golden["rgb"].mean(axis=-1) / 255, atol=1e-6)


def test_golden_colors_come_back(golden: dict[str, NDArray[np.float64]]) -> None:
    rgb = golden["rgb"].astype(np.uint8)
    joined = color.join(*_parts(color.rgb_to_lab(rgb))).astype(int)
    assert np.abs(joined - rgb).max() <= 1
    assert np.abs(np.rint(255 * color.lab_to_rgb(golden["lab"])) - rgb).max() <= 1


def _parts(lab: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return lab[..., 0], lab[..., 1:]
