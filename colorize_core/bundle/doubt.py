"""The doubt of a prediction: the error of ab to expect, from the spread of the odds of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_GROUPS = 10  # groups of images of about equal spread
_LEAST_IMAGES = 20
_LEAST_RANGE = 0.5  # of the spreads, in units of ab: smaller differences say nothing
_LEAST_RISE = 0.1  # of the error per unit of spread, as a fraction of the mean rise: no two spreads have one doubt


@dataclass(frozen=True)
class DoubtScale:
    """A rising, piecewise linear function from the spread of the odds to the error to expect.

    Attributes:
        spreads: spreads in units of ab, as ``Prediction.spread`` returns them, rising.
        errors: mean error at each of them: ``metrics.rmse_ab`` in units of ab, rising.
    """

    spreads: tuple[float, ...]
    errors: tuple[float, ...]

    @classmethod
    def fitted(cls, spreads: Sequence[float], errors: Sequence[float]) -> DoubtScale | None:
        """Returns the scale of images with these spreads and errors; None if they do not tell anything.

        They tell something if there are 20 images or more, and images of larger spread have larger errors.

        The errors are averaged over ten groups of equal size, made rising (isotonic regression: Barlow et al. 1972),
        then given a least rise.
        """
        from scipy.optimize import isotonic_regression

        if len(spreads) < _LEAST_IMAGES or np.ptp(spreads) < _LEAST_RANGE:
            return None
        rise = np.polyfit(spreads, errors, 1)[0]
        if not rise > 0:
            return None
        order = np.argsort(spreads, kind="stable")
        groups = np.array_split(order, _GROUPS)
        x, y = (np.array([np.mean(np.asarray(values)[group]) for group in groups]) for values in (spreads, errors))
        sizes = [len(group) for group in groups]
        flat = isotonic_regression(y, weights=sizes).x
        least = _LEAST_RISE * rise * (x - np.average(x, weights=sizes))
        rising = isotonic_regression(flat - least, weights=sizes).x + least
        kept = np.flatnonzero(np.diff(x, prepend=-np.inf) > 0)
        return cls(tuple(x[kept].round(4).tolist()), tuple(np.maximum(rising, 0)[kept].round(4).tolist()))

    def doubt(self, spread: float) -> float:
        """Returns the error to expect, in units of ab.

        Beyond its ends the function goes on with its mean rise, down to 0 and up to twice the largest error.
        """
        first, last = self.spreads[0], self.spreads[-1]
        rise = (self.errors[-1] - self.errors[0]) / (last - first) if last > first else 0.0
        inside = float(np.interp(spread, self.spreads, self.errors))
        beyond = rise * (min(spread - first, 0.0) + max(spread - last, 0.0))
        return min(max(0.0, inside + beyond), 2 * self.errors[-1])
