"""Tells color photographs from gray and toned ones: sepia, selenium, cyanotype, faded or yellowed.

A toned print has one hue and chroma at each lightness. The curve that they follow from black to paper differs from
print to print. What is left when the curve is subtracted is noise and stains in a toned print, but colors in a color
photograph. The weights are a logistic regression on 750 toned prints and 750 color photographs, some of them faded
(docs/photographs.md has its errors).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.color import Floats
from colorize_core.images import resizing
from colorize_core.images.layouts import is_neutral

_SIDE = 96  # pixels of the longer side of the measured image: at this size film grain is gone
_BINS = 20  # bins of lightness, for the curve
_WEIGHTS, _BIAS = np.array([4.15, 4.02, -6.05]), 7.43
_OFFSETS = np.array([0.5, 1.0, 8.0])  # units of ab that are added to each feature: smaller differences are noise
_THRESHOLD = 1.0  # log-odds
_MIN_PIXELS = 16  # fewer say nothing about color


def is_in_color(rgb: NDArray[np.uint8]) -> bool:
    """Returns True if sRGB uint8 [H, W, 3] shows more than tones of one color.

    Example:
        >>> is_in_color(np.full((64, 64, 3), (120, 100, 80), np.uint8))  # sepia
        False
    """
    return rgb.size >= 3 * _MIN_PIXELS and not is_neutral(rgb) and score(rgb) > _THRESHOLD


def score(rgb: NDArray[np.uint8]) -> float:
    """Returns the log-odds that sRGB uint8 [H, W, 3] is in color; negative values say that it is not."""
    return float(_WEIGHTS @ measures(rgb) + _BIAS)


def measures(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns the three features of sRGB uint8 [H, W, 3], as logarithms: float64 [3].

    The features: spread and 98th percentile of the residuals of ab, and mean chroma. The spread is the smaller
    of the two standard deviations along the principal axes, so that residuals of a single hue count little.
    """
    reduced = resizing.resize(rgb, _size_within(rgb, 2 * _SIDE))
    reduced = resizing.resize(cv2.GaussianBlur(reduced, (0, 0), 1.5), _size_within(reduced, _SIDE))
    lab = color.rgb_to_lab(reduced).reshape(-1, 3)
    ab = lab[:, 1:]
    residuals = ab - _toning_curve(lab[:, 0], ab)
    spread = np.sqrt(max(0.0, float(np.linalg.eigvalsh(np.cov(residuals.T))[0])))
    percentile = float(np.percentile(np.hypot(*residuals.T), 98))
    chroma = float(np.hypot(*ab.T).mean())
    features: NDArray[np.float64] = np.log(_OFFSETS + np.array([spread, percentile, chroma]))
    return features


def _size_within(image: NDArray[np.uint8], side: int) -> tuple[int, int]:
    """Returns (width, height) of the image, reduced so that no side is longer than ``side``."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _toning_curve(lightness: Floats, ab: Floats) -> NDArray[np.float64]:
    """Returns the ab [n, 2] that is usual in this image at each lightness [n]: medians of bins, smoothed."""
    bins = np.clip((lightness * (_BINS / 100)).astype(int), 0, _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    medians = np.stack([np.median(ab[bins == k], axis=0) if counts[k] else np.zeros(2) for k in range(_BINS)])
    bin_numbers = np.arange(_BINS)
    weights = np.exp(-0.5 * np.subtract.outer(bin_numbers, bin_numbers) ** 2) * counts
    smooth = weights @ medians / np.maximum(weights.sum(axis=1, keepdims=True), 1e-6)
    centers = (bin_numbers + 0.5) * (100 / _BINS)
    return np.stack([np.interp(lightness, centers, smooth[:, k]) for k in (0, 1)], axis=1)
