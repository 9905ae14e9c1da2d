from __future__ import annotations

import numpy as np
import pytest

from colorize_core.training import losses

TARGET = np.array([[[[0.3, 0.4], [0.0, 0.0]]]], np.float32)  # [1, 1, 2, 2]: chroma 0.5, and gray
PREDICTION = np.array([[[[0.3, 0.2], [0.01, 0.0]]]], np.float32)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("l1", [0.0, 0.2, 0.01, 0.0]),
        ("mse", [0.0, 0.04, 0.0001, 0.0]),
        ("huber", [0.0, 0.2 - 0.025, 0.0001 / 0.1, 0.0]),  # far: d - delta / 2; near: d^2 / (2 delta), delta 0.05
    ],
)
def test_values_worked_by_hand(name: str, expected: list[float]) -> None:
    assert np.asarray(losses.LOSSES[name](TARGET, PREDICTION)).ravel() == pytest.approx(expected, abs=1e-6)


def test_weights_follow_the_chroma_of_the_target() -> None:
    values = losses.l1(TARGET, PREDICTION)
    assert np.asarray(losses.weighted_means(values, TARGET, 0.0)) == pytest.approx([0.21 / 4])
    # Weights 1 + 4 * 0.5 = 3 and 1; a weight stands for both channels of its pixel.
    assert np.asarray(losses.weighted_means(values, TARGET, 4.0)) == pytest.approx([(3 * 0.2 + 0.01) / 4])


def test_decibels_differ_as_psnr_does_where_an_error_is_seen() -> None:
    """PSNR is -10 log10 of the error, up to a constant: a tenth of it is 10 dB. Unseen errors count little."""
    large, small, unseen = np.asarray(losses.decibels(np.array([10.0, 1.0, (0.1 / 128) ** 2], np.float32)))
    assert large - small == pytest.approx(10, abs=0.01)
    assert 0 < unseen < 0.01
    assert np.asarray(losses.decibels(np.array([2 * (5 / 128) ** 2], np.float32))) == pytest.approx(
        [10 * np.log10(3)], abs=1e-3
    )


def test_equal_images_have_no_loss() -> None:
    for loss in losses.LOSSES.values():
        assert not np.asarray(loss(TARGET, TARGET)).any()


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_the_target_is_averaged_down(factor: int) -> None:
    target = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype(np.float32)
    prediction = np.zeros((2, 8 // factor, 8 // factor, 2), np.float32)
    expected = target.reshape(2, 8 // factor, factor, 8 // factor, factor, 2).mean((2, 4))
    np.testing.assert_allclose(np.asarray(losses.match_resolution(target, prediction)), expected, atol=1e-6)
