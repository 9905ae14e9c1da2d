"""Color classes: ab on a grid, as in Zhang et al. 2016, arXiv:1603.08511. This module needs NumPy only, no Keras.

A class is the square of ``step`` units of ab around a grid point, which is its bin. Saturated classes are rare. Without
weights that make up for it, all doubtful pixels end in gray (section 2.2 of the paper).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.color import Floats

STEP = 10.0  # units of ab between two bins, as in the paper
_CHUNK = 1 << 13  # pixels that are compared with all bins at a time: 10 MB with 313 bins
_MAX_AB = 128  # bound of |a| and |b| of all colors of sRGB


class Odds(NamedTuple):
    """Settings of the odds.

    Attributes:
        temperature: T. 1 gives the mean of all plausible colors; lower values favor the likeliest color.
        debias: b, the share of the class weights that is taken back: 1 gives the true odds, 0 favors rare colors.
    """

    temperature: float
    debias: float


FAITHFUL_ODDS, VIVID_ODDS = Odds(1.0, 1.0), Odds(0.38, 0.5)  # until validation chooses others


@lru_cache(maxsize=8)
def ab_bins(step: float = STEP) -> Floats:
    """Returns the centers of all bins that hold a color of sRGB: float32 [Q, 2] in units of ab, sorted by a, then b.

    The array is read-only. There are 261 bins at a step of 10, 969 at 5, and 77 at 20. (The paper's list of 313 has
    bins outside the gamut, too.)
    """
    values = np.arange(256, dtype=np.uint8)
    square = np.stack(np.meshgrid(values, values), axis=-1).reshape(-1, 2)
    # The six faces of the RGB cube are the surface of the gamut; projected along L, they cover all ab in it.
    faces = [np.insert(square, channel, end, axis=1) for channel in range(3) for end in (0, 255)]
    ab = color.rgb_to_lab(np.concatenate(faces))[:, 1:]
    bins: Floats = (np.unique(np.rint(ab / step).astype(np.int64), axis=0) * step).astype(np.float32)
    bins.setflags(write=False)  # the cache gives all callers the same array
    return bins


def count_bins(ab: NDArray[Any], step: float = STEP) -> NDArray[np.int64]:
    """Counts pixels per nearest bin: ab [..., 2] in units of ab -> int64 [Q]."""
    bins, table = ab_bins(step), _table(step)
    points = np.asarray(ab, np.float32).reshape(-1, 2)
    half = len(table) // 2
    cells = np.clip(np.rint(points / np.float32(step)).astype(np.int32), -half, half) + half
    indices = table[cells[:, 0], cells[:, 1]]
    counts = np.bincount(indices[indices >= 0], minlength=len(bins))
    outside = points[indices < 0]  # means and rounded values only; no pixel of a photograph lies there
    for start in range(0, len(outside), _CHUNK):
        distances = np.square(outside[start : start + _CHUNK, None] - bins).sum(axis=-1)  # [n, Q]
        counts += np.bincount(distances.argmin(axis=1), minlength=len(bins))
    return counts.astype(np.int64)


def class_weights(counts: NDArray[Any], mix: float = 0.5, step: float = STEP) -> Floats:
    """Returns a weight for each class, float32 [Q]: rare classes weigh more, and the mean over all counted pixels is 1.

    As in section 2.2 of the paper, a weight is the inverse of the prior, which is smoothed by a Gaussian with a sigma
    of half a step and mixed with the uniform distribution.

    Args:
        counts: pixels per bin [Q], from ``count_bins``.
        mix: share of the uniform distribution, in (0, 1]. It bounds the weight of classes that never occur; 1 gives
            equal weights.
        step: step of the bins, in units of ab.

    Raises:
        ValueError: ``counts`` has another length than the bins, or no pixel was counted, or ``mix`` is out of range.
    """
    bins = ab_bins(step)
    if len(counts) != len(bins):
        raise ValueError(f"{len(counts)} counts do not belong to the {len(bins)} bins of step {step:g}")
    if not np.sum(counts) > 0:
        raise ValueError("no pixel was counted")
    if not 0 < mix <= 1:
        raise ValueError(f"mix ({mix}) is not in (0, 1]")
    prior = np.asarray(counts, np.float64) / np.sum(counts)
    kernel = np.exp(-np.square(bins[:, None] - bins).sum(axis=-1, dtype=np.float64) / (2 * (step / 2) ** 2))  # [Q, Q]
    smoothed = (kernel / kernel.sum(axis=0)) @ prior
    weights = 1 / ((1 - mix) * smoothed + mix / len(bins))
    normalized: Floats = (weights / (prior @ weights)).astype(np.float32)
    return normalized


def mean_ab(logits: Floats, log_weights: Floats, odds: Odds, step: float = STEP) -> Floats:
    """Returns the mean ab [..., 2] of the odds p = softmax((logits - b log w) / T) of classes [..., Q].

    ``models.odds.ColorOdds`` computes the same in a network.
    """
    shifted = (logits - np.float32(odds.debias) * log_weights) / np.float32(odds.temperature)
    shares = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    mean: Floats = (shares @ ab_bins(step)) / shares.sum(axis=-1, keepdims=True)
    return mean


@lru_cache(maxsize=8)
def _table(step: float) -> NDArray[np.int32]:
    """Returns the index of the bin at each grid point [a / step + half, b / step + half]; -1 where there is no bin.

    The table has a border without bins, to which points farther out are clipped.
    """
    half = int(_MAX_AB // step) + 1
    table = np.full((2 * half + 1, 2 * half + 1), -1, np.int32)
    rows, columns = np.rint(ab_bins(step) / np.float32(step)).astype(np.int64).T + half
    table[rows, columns] = np.arange(len(rows))
    return table
