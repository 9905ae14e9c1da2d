"""Finds how colorized images become as colorful as the originals: by a factor of the chroma, or by sharper odds."""

from __future__ import annotations

import itertools
from typing import NamedTuple

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
_DEBIASES = (0.0, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_TOLERANCE = 0.23  # of the colorfulness, as a fraction; users are promised 0.25 on photographs like these
_COLOR_WORTH = 0.05  # dB that faithful colors may lose for more colorfulness


def vivid_gain(lightness: Floats, ab: Floats, truth: Floats) -> tuple[float, float]:
    """Finds the factor of ab, in [1/4, 4], at which the colorized images are as colorful as the true ones on average.

    Returns:
        The factor, and the mean PSNR of the images at this factor less that of the gray copy, in dB.

    Args:
        lightness: L [n, H, W] of the images.
        ab: predicted ab [n, h, w, 2], at any resolution.
        truth: true ab [n, H, W, 2].
    """
    full = _widened(ab, lightness)
    true_images = _joined(lightness, truth)
    wanted = _colorfulness(true_images)
    low, high = _RANGE
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        colorfulness = _colorfulness(_joined(lightness, np.float32(middle) * full))
        low, high = (middle, high) if colorfulness < wanted else (low, middle)
    gain = round((low + high) / 2, 2)
    images = _joined(lightness, np.float32(gain) * full)
    return gain, _psnr(images, true_images) - _gray_psnr(lightness, true_images)


class ChosenOdds(NamedTuple):
    """The odds from which colors are taken.

    Attributes:
        faithful: the odds of faithful colors.
        vivid: the odds of vivid colors.
        vivid_over_gray: mean PSNR of images in vivid colors less that of the gray copy, in dB.
    """

    faithful: Odds
    vivid: Odds
    vivid_over_gray: float


class _Rated(NamedTuple):
    odds: Odds
    psnr: float
    distance: float  # of the colorfulness from that of the true images, as a fraction


def choose_odds(lightness: Floats, logits: Floats, log_weights: Floats, truth: Floats, step: float) -> ChosenOdds:
    """Chooses odds of a class head by the images that they give.

    Faithful odds have temperature 1. Those of the best PSNR are dull; the most colorful ones that lose no more than
    0.05 dB are chosen. Vivid odds are those of the best PSNR whose mean colorfulness is within 23 % of that of the true
    images; if there are none, those that come nearest.

    Args:
        lightness: L [n, H, W] of the images.
        logits: class logits [n, h, w, Q], at any resolution.
        log_weights: logarithm of the weights of the classes [Q].
        truth: true ab [n, H, W, 2].
        step: step of the classes, in units of ab.
    """
    true_images = _joined(lightness, truth)
    wanted = _colorfulness(true_images)
    rated = []
    for odds in itertools.starmap(Odds, itertools.product(_TEMPERATURES, _DEBIASES)):
        ab = _widened(classes.mean_ab(logits, log_weights, odds, step), lightness)
        images = _joined(lightness, ab)
        rated.append(_Rated(odds, _psnr(images, true_images), abs(_colorfulness(images) / max(wanted, 1.0) - 1)))
    plain = [each for each in rated if each.odds.temperature == 1]
    least = max(each.psnr for each in plain) - _COLOR_WORTH
    faithful = min((each.odds for each in plain if each.psnr >= least), key=lambda odds: odds.debias)
    near = [each for each in rated if each.distance <= _TOLERANCE]
    vivid = max(near, key=lambda each: each.psnr) if near else min(rated, key=lambda each: each.distance)
    return ChosenOdds(faithful, vivid.odds, vivid.psnr - _gray_psnr(lightness, true_images))


def _widened(ab: Floats, lightness: Floats) -> Floats:
    """Returns ab at the resolution of the lightness."""
    size = lightness.shape[2], lightness.shape[1]
    return np.stack([cv2.resize(each, size, interpolation=cv2.INTER_CUBIC) for each in ab])


def _joined(lightness: Floats, ab: Floats) -> list[NDArray[np.uint8]]:
    return [color.join(one, other) for one, other in zip(lightness, ab, strict=True)]


def _gray_psnr(lightness: Floats, truth: list[NDArray[np.uint8]]) -> float:
    return _psnr(_joined(lightness, np.zeros((*lightness.shape, 2), np.float32)), truth)


def _colorfulness(images: list[NDArray[np.uint8]]) -> float:
    return float(np.mean([color.colorfulness(image) for image in images]))


def _psnr(images: list[NDArray[np.uint8]], truth: list[NDArray[np.uint8]]) -> float:
    """Returns the mean PSNR in dB."""
    return float(np.mean([metrics.psnr(image, true) for image, true in zip(images, truth, strict=True)]))
