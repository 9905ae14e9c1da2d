"""Is a photograph in color already, or in one color: sepia, selenium, cyanotype, faded, yellowed?

A toned print has one hue and chroma for each lightness, whatever curve they follow from black to paper. So what that
curve does not explain is noise and stains in a print, and colors in a photograph. The weights are a logistic
regression on 750 toned prints and 750 color photographs, some of them faded (docs/photographs.md has its errors).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.color import Floats
from colorize_core.images import resizing
from colorize_core.images.layouts import is_neutral

_SIDE = 96  # of what is looked at: at that size grain is gone
_BINS = 20  # of lightness
_WEIGHTS, _BIAS = np.array([4.15, 4.02, -6.05]), 7.43
_OFFSETS = np.array([0.5, 1.0, 8.0])  # in ab: below them a difference is noise
_THRESHOLD = 1.0
_FEW = 16  # pixels, which say nothing


def is_in_color(rgb: NDArray[np.uint8]) -> bool:
    """Whether sRGB uint8 [H, W, 3] shows more than tones of one color."""
    return rgb.size >= 3 * _FEW and not is_neutral(rgb) and score(rgb) > _THRESHOLD


def score(rgb: NDArray[np.uint8]) -> float:
    """How sure it is that sRGB uint8 [H, W, 3] is in color: log-odds, negative where it is not."""
    return float(_WEIGHTS @ measures(rgb) + _BIAS)


def measures(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Logarithms for sRGB uint8 [H, W, 3]: spread of what the curve leaves, its 98th percentile, mean chroma."""
    small = resizing.resize(rgb, _within(rgb, 2 * _SIDE))
    small = resizing.resize(cv2.GaussianBlur(small, (0, 0), 1.5), _within(small, _SIDE))
    lab = color.rgb_to_lab(small).reshape(-1, 3)
    ab = lab[:, 1:]
    left = ab - _curve(lab[:, 0], ab)
    lesser = np.sqrt(max(0.0, float(np.linalg.eigvalsh(np.cov(left.T))[0])))  # across the line of hues that is left
    most = float(np.percentile(np.hypot(*left.T), 98))
    chroma = float(np.hypot(*ab.T).mean())
    logs: NDArray[np.float64] = np.log(_OFFSETS + np.array([lesser, most, chroma]))
    return logs


def _within(image: NDArray[np.uint8], side: int) -> tuple[int, int]:
    """(width, height) of the image with no side over ``side``."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _curve(lightness: Floats, ab: Floats) -> NDArray[np.float64]:
    """ab [n, 2] that each lightness [n] usually has here: medians of bins, smoothed."""
    bins = np.clip((lightness * (_BINS / 100)).astype(int), 0, _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    medians = np.stack([np.median(ab[bins == k], axis=0) if counts[k] else np.zeros(2) for k in range(_BINS)])
    places = np.arange(_BINS)
    weights = np.exp(-0.5 * np.subtract.outer(places, places) ** 2) * counts
    smooth = weights @ medians / np.maximum(weights.sum(axis=1, keepdims=True), 1e-6)
    middles = (places + 0.5) * (100 / _BINS)
    return np.stack([np.interp(lightness, middles, smooth[:, k]) for k in (0, 1)], axis=1)
