"""Colors that a coarse map mixes across an outline are parted again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from colorize_core.inference.outlines import follow_outlines


def test_a_leak_over_an_outline_is_taken_back() -> None:
    """A colorful square on gray paper: the coarse cells on its outline have a part of its color."""
    lightness = np.full((128, 128), 65, np.float32)
    lightness[34:94, 34:94] = 30
    fine = np.zeros((128, 128, 2), np.float32)
    fine[34:94, 34:94] = 20, -15
    coarse = cv2.resize(fine, (32, 32), interpolation=cv2.INTER_AREA)
    followed = follow_outlines(coarse, lightness)
    assert (followed.shape, followed.dtype) == ((64, 64, 2), np.float32)
    enlarged = cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_LINEAR)
    truth = cv2.resize(fine, (64, 64), interpolation=cv2.INTER_AREA)
    ring = np.zeros((64, 64), bool)
    ring[13:51, 13:51] = True
    ring[17:47, 17:47] = False
    before, after = (np.abs(each - truth)[ring].mean() for each in (enlarged, followed))
    assert before > 1.5
    assert after < 0.35 * before
    np.testing.assert_allclose(followed[24:40, 24:40], truth[24:40, 24:40], atol=1e-3)


def test_without_an_outline_colors_are_smoothed_alone() -> None:
    ramp = np.tile(np.linspace(-30, 30, 24, dtype=np.float32), (16, 1))
    ab = np.stack([ramp, -ramp], axis=-1)
    followed = follow_outlines(ab, np.full((64, 96), 50, np.float32))
    enlarged = cv2.resize(ab, (48, 32), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(followed[4:-4, 6:-6], enlarged[4:-4, 6:-6], atol=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (32, 96)])
def test_any_size_gives_finite_colors(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    lightness = rng.uniform(0, 100, shape).astype(np.float32)
    followed = follow_outlines(rng.normal(0, 20, (1, 1, 2)).astype(np.float32), lightness)
    assert followed.shape == (max(1, shape[0] // 2), max(1, shape[1] // 2), 2)
    assert np.isfinite(followed).all()
