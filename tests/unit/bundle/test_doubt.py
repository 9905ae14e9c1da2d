"""Doubt rises with the spread of the odds, and is the mean error of images with this spread."""

from __future__ import annotations

import numpy as np
import pytest

from colorize_core.bundle import DoubtScale


def samples(n: int = 400) -> tuple[list[float], list[float]]:
    """Returns spreads, and errors whose mean is half the spread plus 2."""
    rng = np.random.default_rng(0)
    spreads = rng.uniform(8, 30, n)
    errors = spreads / 2 + 2 + rng.normal(0, 3, n)
    return spreads.tolist(), np.maximum(errors, 0).tolist()


def test_doubt_is_the_error_to_expect() -> None:
    scale = DoubtScale.fitted(*samples())
    assert scale
    for spread in (10, 15, 20, 25, 28):
        assert scale.doubt(spread) == pytest.approx(spread / 2 + 2, abs=1)


def test_more_spread_is_more_doubt() -> None:
    scale = DoubtScale.fitted(*samples(60))
    assert scale
    doubts = [scale.doubt(spread) for spread in np.linspace(5, 60, 500)]
    assert (np.diff(doubts) > 0).all()
    assert scale.doubt(0) >= 0


@pytest.mark.parametrize(
    ("spreads", "errors"),
    [([], []), ([10.0], [5.0]), ([10.0, 10.0, 10.0], [1.0, 2.0, 3.0]), ([10.0, 12.0, 14.0], [6.0, 5.0, 4.0])],
)
def test_there_is_no_doubt_without_a_rise(spreads: list[float], errors: list[float]) -> None:
    assert DoubtScale.fitted(spreads, errors) is None


def test_two_images_are_enough() -> None:
    scale = DoubtScale.fitted([10.0, 20.0], [4.0, 8.0])
    assert scale
    assert scale.doubt(20) >= scale.doubt(10)
