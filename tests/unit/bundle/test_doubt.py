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
    doubts = [scale.doubt(spread) for spread in np.linspace(5, 45, 400)]
    assert (np.diff(doubts) > 0).all()
    assert scale.doubt(0) >= 0
    assert scale.doubt(1e6) == 2 * scale.errors[-1]


@pytest.mark.parametrize(
    ("spreads", "errors"),
    [
        ([], []),
        ([10.0, 20.0], [4.0, 8.0]),
        ([float(i) for i in range(19)], [float(i) for i in range(19)]),  # too few images
        ([10.0 + i / 100 for i in range(40)], [float(i) for i in range(40)]),  # of nearly equal spread
        ([float(i) for i in range(40)], [float(-i) for i in range(40)]),
    ],
)
def test_there_is_no_doubt_that_tells_nothing(spreads: list[float], errors: list[float]) -> None:
    assert DoubtScale.fitted(spreads, errors) is None
