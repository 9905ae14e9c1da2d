"""Classes of ab: the grid, counting, weights; the loss and the annealed mean, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from colorize_core import color
from colorize_core.models import classes
from colorize_core.training import losses

RNG = np.random.default_rng(0)


def nearest(ab: np.ndarray, bins: np.ndarray) -> np.ndarray:
    return np.square(ab[..., None, :].astype(np.float64) - bins).sum(-1).argmin(-1)


@pytest.fixture(scope="module")
def lattice() -> np.ndarray:
    """ab [n, 2] of every fifth value of R, G and B."""
    values = np.arange(0, 256, 5, dtype=np.uint8)
    return color.rgb_to_lab(np.stack(np.meshgrid(values, values, values), -1).reshape(-1, 3))[:, 1:]


@pytest.mark.parametrize(("step", "number"), [(5, 969), (10, 261), (20, 77)])
def test_bins_are_the_gamut_on_a_grid(lattice: np.ndarray, step: int, number: int) -> None:
    bins = classes.ab_bins(step)
    assert bins.dtype == np.float32
    assert bins.shape == (number, 2)
    assert not (bins % step).any()
    seen = set(map(tuple, np.unique(np.rint(lattice / step), axis=0) * step))
    listed = set(map(tuple, bins))
    assert seen <= listed
    for missed in listed - seen:  # the lattice has gaps where the gamut touches a bin
        assert np.abs(lattice - missed).max(axis=1).min() < step / 2 + 2


def test_bins_are_made_once_and_cannot_be_changed() -> None:
    assert classes.ab_bins(10) is classes.ab_bins(10)
    with pytest.raises(ValueError, match="read-only"):
        classes.ab_bins(10)[0] = 0


@pytest.mark.parametrize("step", [5.0, 7.5, 10.0, 40.0])
def test_each_pixel_is_counted_for_its_nearest_bin(step: float) -> None:
    bins = classes.ab_bins(step)
    ab = np.concatenate([RNG.normal(0, 25, (3000, 2)), RNG.uniform(-160, 160, (1000, 2))]).reshape(40, 100, 2)
    counts = classes.count_bins(ab, step)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, np.bincount(nearest(ab, bins).ravel(), minlength=len(bins)))


def test_weights_are_one_on_average_and_more_for_the_rare() -> None:
    bins = classes.ab_bins()
    ab = RNG.laplace(0, 12, (20000, 2))
    counts = classes.count_bins(ab)
    weights = classes.class_weights(counts)
    assert weights.dtype == np.float32
    assert weights[nearest(ab, bins)].mean() == pytest.approx(1, rel=1e-5)
    gray, red = nearest(np.array([[0.0, 0.0], [70.0, 50.0]]), bins)
    assert weights[red] > 5 * weights[gray]
    np.testing.assert_allclose(classes.class_weights(counts, mix=1), 1, rtol=1e-6)
    assert weights.max() < classes.class_weights(counts, mix=0.05).max()


def test_weights_worked_by_hand() -> None:
    bins = classes.ab_bins(40)
    counts = np.zeros(len(bins), np.int64)
    counts[nearest(np.zeros(2), bins)] = 7
    smoothed = np.array([np.exp(-(a * a + b * b) / (2 * 20 * 20)) for a, b in bins.astype(float)])
    weights = 1 / (0.5 * smoothed / smoothed.sum() + 0.5 / len(bins))
    np.testing.assert_allclose(classes.class_weights(counts, step=40), weights / weights.min(), rtol=1e-5)


@pytest.mark.parametrize(
    ("counts", "mix", "words"),
    [
        (np.ones(313), 0.5, "313 counts do not belong to the 261 bins of step 10"),
        (np.zeros(261), 0.5, "no pixel was counted"),
        (np.ones(261), 0.0, "mix"),
    ],
)
def test_wrong_counts_are_refused(counts: np.ndarray, mix: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        classes.class_weights(counts, mix)


def loss(ab: np.ndarray, logits: np.ndarray, step: float, weights: np.ndarray) -> float:
    target = (ab / 128).astype(np.float32)
    return float(losses.cross_entropy(target, logits.astype(np.float32), classes.ab_bins(step), weights))


def test_soft_encoding_worked_by_hand() -> None:
    """Gray is the center of a bin, its neighbors are 10 away: shares 1 and four times e^-2, before they are divided."""
    bins = classes.ab_bins()
    weights = np.ones(len(bins), np.float32)
    ab = np.zeros((1, 1, 1, 2))
    assert loss(ab, np.zeros((1, 1, 1, len(bins))), 10, weights) == pytest.approx(np.log(261), rel=1e-5)
    logits = np.zeros((1, 1, 1, len(bins)))
    [gray] = nearest(np.zeros((1, 2)), bins)
    logits[..., gray] = 9
    share = 1 / (1 + 4 * np.exp(-2))
    assert loss(ab, logits, 10, weights) == pytest.approx(np.log(260 + np.exp(9)) - 9 * share, rel=1e-5)


@pytest.mark.parametrize("step", [10.0, 20.0])
def test_the_loss_of_pixels_one_by_one(step: float) -> None:
    bins = classes.ab_bins(step)
    ab = RNG.uniform(-110, 110, (2, 3, 4, 2))  # beyond the gamut too
    logits = RNG.normal(0, 2, (2, 3, 4, len(bins)))
    weights = RNG.uniform(0.5, 2, len(bins)).astype(np.float32)
    expected = []
    for point, odds in zip(ab.reshape(-1, 2), logits.reshape(-1, len(bins)), strict=True):
        squared = np.square(point - bins).sum(1)
        five = np.argsort(squared)[:5]
        shares = np.exp(-(squared[five] - squared[five[0]]) / (2 * (step / 2) ** 2))
        log_odds = odds - np.log(np.exp(odds).sum())
        expected.append(-weights[five[0]] * (shares / shares.sum() * log_odds[five]).sum())
    assert loss(ab, logits, step, weights) == pytest.approx(np.mean(expected), rel=1e-4)


def test_the_annealed_mean_lies_between_mean_and_mode() -> None:
    from colorize_core.models.blocks import annealed_mean

    bins = classes.ab_bins()
    logits = RNG.normal(0, 1, (2, 3, 3, len(bins))).astype(np.float32)
    mean, between, mode = (np.asarray(annealed_mean(logits, bins, t)) for t in (1.0, 0.38, 1e-3))
    odds = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(mean, odds @ bins / 128, atol=1e-5)
    np.testing.assert_allclose(mode, bins[logits.argmax(-1)] / 128, atol=1e-5)
    to_mode = [np.linalg.norm(each - mode, axis=-1).mean() for each in (mean, between)]
    assert 0 < to_mode[1] < to_mode[0]
