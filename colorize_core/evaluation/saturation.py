"""Finds how colorized images become as colorful as the originals: by a factor of the chroma, or by sharper odds."""

from __future__ import annotations

import itertools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.color import Floats
from colorize_core.evaluation import metrics
from colorize_core.models import classes
from colorize_core.models.classes import Odds

_RANGE = (0.25, 4.0)  # bounded: a network that predicts gray would need an infinite gain
_BISECTIONS = 8  # halve the range of 3.75 to 0.015
_TEMPERATURES = (0.38, 0.6, 1.0)
_DEBIASES = (0.0, 0.25, 0.5, 0.75, 1.0)
_TOLERANCE = 0.25  # difference of the colorfulness from the truth's, as a fraction


def vivid_gain(lightness: Floats, ab: Floats, truth: Floats) -> float:
    """Returns the factor of ab, in [1/4, 4], at which the colorized images are as colorful as the true ones on average.

    Args:
        lightness: L [n, H, W] of the images.
        ab: predicted ab [n, h, w, 2], at any resolution.
        truth: true ab [n, H, W, 2].
    """
    full = _widened(ab, lightness)
    wanted = _colorfulness(_joined(lightness, truth))
    low, high = _RANGE
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        colorfulness = _colorfulness(_joined(lightness, np.float32(middle) * full))
        low, high = (middle, high) if colorfulness < wanted else (low, middle)
    return round((low + high) / 2, 2)


def vivid_odds(lightness: Floats, logits: Floats, log_weights: Floats, truth: Floats, step: float) -> Odds:
    """Returns the odds of the best PSNR whose mean colorfulness is within 25 % of that of the true images.

    If no odds of the grid come so near, those that come nearest are returned.

    Args:
        lightness: L [n, H, W] of the images.
        logits: class logits [n, h, w, Q], at any resolution.
        log_weights: logarithm of the weights of the classes [Q].
        truth: true ab [n, H, W, 2].
        step: step of the classes, in units of ab.
    """
    true_images = _joined(lightness, truth)
    wanted = _colorfulness(true_images)
    best: tuple[bool, float] = (False, -math.inf)
    chosen = classes.VIVID_ODDS
    for odds in itertools.starmap(Odds, itertools.product(_TEMPERATURES, _DEBIASES)):
        ab = _widened(classes.mean_ab(logits, log_weights, odds, step), lightness)
        images = _joined(lightness, ab)
        distance = abs(_colorfulness(images) / max(wanted, 1.0) - 1)
        is_near = distance <= _TOLERANCE
        rank = (is_near, _psnr(images, true_images) if is_near else -distance)
        if rank > best:
            best, chosen = rank, odds
    return chosen


def _widened(ab: Floats, lightness: Floats) -> Floats:
    """Returns ab at the resolution of the lightness."""
    size = lightness.shape[2], lightness.shape[1]
    return np.stack([cv2.resize(each, size, interpolation=cv2.INTER_CUBIC) for each in ab])


def _joined(lightness: Floats, ab: Floats) -> list[NDArray[np.uint8]]:
    return [color.join(one, other) for one, other in zip(lightness, ab, strict=True)]


def _colorfulness(images: list[NDArray[np.uint8]]) -> float:
    return float(np.mean([color.colorfulness(image) for image in images]))


def _psnr(images: list[NDArray[np.uint8]], truth: list[NDArray[np.uint8]]) -> float:
    """Returns the mean PSNR in dB."""
    return float(np.mean([metrics.psnr(image, true) for image, true in zip(images, truth, strict=True)]))
