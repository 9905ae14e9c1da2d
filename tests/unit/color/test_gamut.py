"""The chroma that fits into the gamut, compared with bisection on the formulas of scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import color as reference

from colorize_core import color
from colorize_core.color import Floats, gamut

TOLERANCE = np.float32(2e-5)
RGB_FROM_XYZ = np.linalg.inv(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
YELLOW = 6  # its place among the corners: there the gamut has a dent


def _is_inside(lightness: Floats, ab: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns True for colors in the gamut. Computed in linear light, since scikit-image clips what it returns."""
    y = (lightness + 16.0) / 116
    f = np.stack([y + ab[:, 0] / 500, y, y - ab[:, 1] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * reference.xyz_tristimulus_values(
        illuminant="D65", observer="2"
    )
    linear = xyz @ RGB_FROM_XYZ.T
    inside: NDArray[np.bool_] = ((linear >= -TOLERANCE) & (linear <= 1 + TOLERANCE)).all(axis=-1)
    return inside


def _bisected(lightness: Floats, ab: Floats) -> NDArray[np.float64]:
    kept = np.zeros(len(lightness))
    for step in 1 / 2 ** np.arange(11):
        factor = np.minimum(kept + step, 1)
        kept = np.where(_is_inside(lightness, ab * factor[:, None]), factor, kept)
    return kept


def _colors(largest: float, count: int = 30_000) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(round(largest))
    lightness = rng.uniform(0, 100, count).astype(np.float32)
    return lightness, rng.uniform(-largest, largest, (count, 2)).astype(np.float32)


@pytest.mark.parametrize("largest", [1, 10, 40, 128])
def test_chroma_is_that_of_a_bisection(largest: float) -> None:
    lightness, ab = _colors(largest)
    kept, expected = gamut.kept_chroma(lightness, ab, TOLERANCE), _bisected(lightness, ab)
    assert (kept < 1).mean() == pytest.approx((expected < 1).mean(), abs=1e-3)
    # The white points differ by 2e-5, and where an edge is nearly parallel to the hue that is a visible step.
    assert np.mean(np.abs(kept - expected) > 1.1 / 1024) < 0.01
    np.testing.assert_allclose(np.hypot(*ab.T) * kept, np.hypot(*ab.T) * expected, atol=1)


def test_black_and_white_have_no_chroma_and_gray_keeps_none() -> None:
    lightness = np.float32([0, 100, 50, 0])
    ab = np.float32([[20, 30], [-40, 5], [0, 0], [0, 0]])
    np.testing.assert_allclose(gamut.kept_chroma(lightness, ab, TOLERANCE), [0, 0, 1, 1], atol=2e-3)


def test_corners_of_the_cube_stay_and_what_lies_beyond_comes_back_to_them() -> None:
    corners = np.array([[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)], np.uint8)
    lab = color.rgb_to_lab(corners)
    np.testing.assert_array_equal(color.join(lab[:, 0], lab[:, 1:]), corners)
    beyond = color.join(lab[:, 0], lab[:, 1:] * np.float32(1.001)).astype(int)
    np.testing.assert_allclose(np.delete(beyond, YELLOW, axis=0), np.delete(corners, YELLOW, axis=0), atol=2)
