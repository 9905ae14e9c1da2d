"""Classes of color: ab on a grid, as in Zhang et al. 2016, arXiv:1603.08511. NumPy alone: counting needs no Keras.

A class is the square of ``step`` units of ab around a grid point, its bin. Rare classes are saturated ones; weights
make up for it, or all doubtful pixels end in gray (section 2.2 there).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.color import Floats

STEP = 10.0  # units of ab between two bins, as in the paper
_CHUNK = 1 << 13  # pixels compared with all bins at a time: 10 MB at 313 bins
_EDGE = 128  # no color of sRGB has an a or b beyond it


@lru_cache(maxsize=8)
def ab_bins(step: float = STEP) -> Floats:
    """Centers float32 [Q, 2] of all bins that hold a color of sRGB, in units of ab, by a, then b. Read-only.

    Each color of sRGB has one of them as its nearest grid point: 261 bins at a step of 10, 969 at 5, 77 at 20. (The
    paper's list of 313 has bins beyond the gamut's edge too.)
    """
    values = np.arange(256, dtype=np.uint8)
    square = np.stack(np.meshgrid(values, values), axis=-1).reshape(-1, 2)
    # Seen along L, the gamut has the outline of its surface: the six faces of the RGB cube show all of its ab.
    faces = [np.insert(square, channel, end, axis=1) for channel in range(3) for end in (0, 255)]
    ab = color.rgb_to_lab(np.concatenate(faces))[:, 1:]
    bins: Floats = (np.unique(np.rint(ab / step).astype(np.int64), axis=0) * step).astype(np.float32)
    bins.setflags(write=False)  # shared by all callers
    return bins


def count_bins(ab: NDArray[Any], step: float = STEP) -> NDArray[np.int64]:
    """Pixels per bin int64 [Q] of ab [..., 2], in units of ab, each counted for its nearest bin."""
    bins, table = ab_bins(step), _table(step)
    points = np.asarray(ab, np.float32).reshape(-1, 2)
    half = len(table) // 2
    cells = np.clip(np.rint(points / np.float32(step)).astype(np.int32), -half, half) + half
    found = table[cells[:, 0], cells[:, 1]]
    counts = np.bincount(found[found >= 0], minlength=len(bins))
    outside = points[found < 0]  # only of means and of rounded values: no pixel of a photograph is there
    for start in range(0, len(outside), _CHUNK):
        distances = np.square(outside[start : start + _CHUNK, None] - bins).sum(axis=-1)  # [n, Q]
        counts += np.bincount(distances.argmin(axis=1), minlength=len(bins))
    return counts.astype(np.int64)


def class_weights(counts: NDArray[Any], mix: float = 0.5, step: float = STEP) -> Floats:
    """Weight float32 [Q] of each class: rarer, heavier; one on average over the pixels that were counted.

    Section 2.2 of the paper: the prior, smoothed by a Gaussian of half a step, mixed with the uniform one, inverted.

    Args:
        counts: pixels per bin [Q], from ``count_bins``.
        mix: part of the uniform prior, above 0: it bounds the weight of classes that never occur; 1 for equal weights.
        step: of the bins.

    Raises:
        ValueError: ``counts`` are not those of such bins, or zero.
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


@lru_cache(maxsize=8)
def _table(step: float) -> NDArray[np.int32]:
    """Index of the bin of each grid point [a / step + half, b / step + half], -1 where there is none.

    A border of such points all around takes what lies farther out.
    """
    half = int(_EDGE // step) + 1
    table = np.full((2 * half + 1, 2 * half + 1), -1, np.int32)
    rows, columns = np.rint(ab_bins(step) / np.float32(step)).astype(np.int64).T + half
    table[rows, columns] = np.arange(len(rows))
    return table
