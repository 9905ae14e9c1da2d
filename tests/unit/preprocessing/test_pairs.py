"""Pairs of network input and target, compared with scikit-image."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import color as reference

from colorize_core.color import GrayFormula
from colorize_core.images.resizing import to_square
from colorize_core.preprocessing import pairs
from colorize_core.training import pair_rows
from tests.support.numbered_pairs import numbered

Photographs = dict[str, NDArray[np.uint8]]


def test_normalization_reaches_from_minus_one_to_one_and_back() -> None:
    np.testing.assert_array_equal(pairs.normalize_lightness(np.array([0, 50, 100], np.float32)), [-1, 0, 1])
    ab = np.array([[-128, 0], [64, 127]], np.float32)
    np.testing.assert_array_equal(pairs.normalize_ab(ab), [[-1, 0], [0.5, 127 / 128]])
    np.testing.assert_array_equal(pairs.denormalize_ab(pairs.normalize_ab(ab)), ab)


@pytest.mark.parametrize(
    ("formula", "weights"), [("luminance", [0.299, 0.587, 0.114]), ("average", [1 / 3, 1 / 3, 1 / 3])]
)
def test_a_pair_is_the_lightness_of_the_gray_and_the_chroma_of_the_color(
    photographs: Photographs, formula: GrayFormula, weights: list[float]
) -> None:
    rgb = photographs["astronaut"][::4, ::4]
    inputs, targets = pairs.to_pair(rgb, formula)
    gray = rgb @ weights / 255
    assert (inputs.shape, targets.shape) == ((128, 128, 1), (128, 128, 2))
    assert inputs.dtype == targets.dtype == np.float32
    lightness = reference.rgb2lab(np.stack([gray] * 3, axis=-1))[..., 0]
    np.testing.assert_allclose((inputs[..., 0] + 1) * 50, lightness, atol=0.01)
    np.testing.assert_allclose(targets * 128, reference.rgb2lab(rgb)[..., 1:], atol=0.01)


def test_pairs_of_a_batch_are_those_of_its_images(photographs: Photographs) -> None:
    batch = np.stack([to_square(rgb, 32, "center") for rgb in photographs.values()])
    inputs, targets = pairs.to_pair(batch, "luminance")
    for i, rgb in enumerate(batch):
        one = pairs.to_pair(rgb, "luminance")
        np.testing.assert_allclose(inputs[i], one[0], atol=1e-6)
        np.testing.assert_allclose(targets[i], one[1], atol=1e-6)


def test_resized_pairs_are_means_of_areas() -> None:
    inputs, targets = numbered(2, 8)
    small_in, small_out = pairs.resize_pairs(inputs, targets, 4)
    np.testing.assert_allclose(small_in, inputs.reshape(2, 4, 2, 4, 2, 1).mean(axis=(2, 4)))
    np.testing.assert_allclose(small_out, targets.reshape(2, 4, 2, 4, 2, 2).mean(axis=(2, 4)))
    same = pairs.resize_pairs(inputs, targets, 8)
    np.testing.assert_array_equal(same[0], inputs)
    np.testing.assert_array_equal(same[1], targets)


def test_pair_batch_of_photographs_and_of_a_row_that_failed(photographs: Photographs) -> None:
    rgb = np.empty(3, object)
    rgb[:] = [photographs["coffee"], np.zeros((0, 0, 3), np.uint8), photographs["rocket"]]
    rows = {
        "id": np.array(["c", "bad", "r"]),
        "reason": np.array(["", "damaged", ""]),
        "message": np.array(["", "cut off", ""]),
        "rgb": rgb,
    }
    batch = pair_rows.pair_batch(rows, size=24, gray="luminance")
    assert list(batch.id) == ["c", "bad", "r"]
    assert list(batch.message) == ["", "cut off", ""]
    assert (batch.input.shape, batch.target.shape) == ((3, 24, 24, 1), (3, 24, 24, 2))
    assert batch.input.dtype == batch.target.dtype == np.float16
    for i, name in ((0, "coffee"), (2, "rocket")):
        small = to_square(photographs[name], 24, "center")
        inputs, targets = pairs.to_pair(small, "luminance")
        assert np.abs(batch.input[i] - inputs).max() * 50 < 0.03  # as the docstring says
        assert np.abs(batch.target[i] - targets).max() * 128 < 0.06
        assert batch.checksum[i] == zlib.crc32(small.tobytes())
    assert (batch.input[1] == -1).all()
    assert (batch.target[1] == 0).all()
