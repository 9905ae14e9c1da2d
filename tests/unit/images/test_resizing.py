"""Resizing to squares, compared with means and positions that are computed here."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from colorize_core.images.resizing import CROPS, Crop, resize, to_square

Photographs = dict[str, NDArray[np.uint8]]


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 14), (15, 8)])
def test_center_takes_the_middle(height: int, width: int) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    top, left = (height - 8) // 2, (width - 8) // 2
    np.testing.assert_array_equal(to_square(rgb, 8, "center"), rgb[top : top + 8, left : left + 8])


def test_shrinks_by_area(photographs: Photographs) -> None:
    rgb = photographs["coffee"]  # 400 x 600
    blocks = rgb[:, 100:500].reshape(50, 8, 50, 8, 3).mean(axis=(1, 3))
    small = to_square(rgb, 50, "center")
    assert small.dtype == np.uint8
    np.testing.assert_allclose(small, blocks, atol=0.51)


def test_enlarges_smoothly(photographs: Photographs) -> None:
    rgb = photographs["coffee"][:40, :40]
    large = to_square(rgb, 120, "center")
    assert large.shape == (120, 120, 3)
    np.testing.assert_allclose(large.reshape(40, 3, 40, 3, 3).mean(axis=(1, 3)), rgb, atol=30)


def test_pad_keeps_the_whole_photograph_in_the_middle_of_black(photographs: Photographs) -> None:
    rgb = photographs["coffee"]  # 400 x 600
    padded = to_square(rgb, 60, "pad")
    np.testing.assert_array_equal(padded[:10], 0)
    np.testing.assert_array_equal(padded[50:], 0)
    np.testing.assert_allclose(padded[10:50], rgb.reshape(40, 10, 60, 10, 3).mean(axis=(1, 3)), atol=0.51)
    tall = to_square(rgb.transpose(1, 0, 2), 60, "pad")
    np.testing.assert_allclose(tall, padded.transpose(1, 0, 2), atol=1)


def test_none_squeezes_the_whole_photograph(photographs: Photographs) -> None:
    rgb = photographs["coffee"]
    squeezed = to_square(rgb, 50, "none")
    np.testing.assert_allclose(squeezed, rgb.reshape(50, 8, 50, 12, 3).mean(axis=(1, 3)), atol=0.51)


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (7, 9), (33, 33)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_any_shape_becomes_a_square(shape: tuple[int, int], channels: tuple[int, ...], crop: Crop) -> None:
    square = to_square(np.full((*shape, *channels), 81, np.uint8), 33, crop)
    assert square.shape == (33, 33, *channels)
    assert set(np.unique(square)) <= ({81} if crop != "pad" else {0, 81})
    assert 81 in square


def test_resize_leaves_a_photograph_of_that_size_alone(photographs: Photographs) -> None:
    rgb = photographs["coffee"]
    assert resize(rgb, (600, 400)) is rgb


@pytest.mark.parametrize("size", [(1, 1), (40, 10), (13, 60), (200, 100)])
def test_resize_gives_the_size_and_leaves_a_flat_image_flat(size: tuple[int, int]) -> None:
    np.testing.assert_array_equal(resize(np.full((30, 40), 77, np.uint8), size), np.full(size[::-1], 77))
