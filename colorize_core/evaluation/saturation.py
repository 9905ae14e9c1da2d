"""Finds how colorized images become as colorful as the originals: by a factor of the chroma, or by sharper odds."""

from __future__ import annotations

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
_DEBIASES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_DEBIAS_BISECTIONS = 5  # halve the range of 1 to 0.03
_VIVID = 0.77  # of the true colorfulness; users are promised 0.75 on photographs like these
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


def choose_odds(lightness: Floats, logits: Floats, log_weights: Floats, truth: Floats, step: float) -> ChosenOdds:
    """Chooses odds of a class head by the images that they give.

    Faithful odds have temperature 1. Those of the best PSNR are dull; the most colorful ones that lose no more than
    0.05 dB are chosen. For vivid odds, each of three temperatures is given the largest debias at which the mean
    colorfulness is at least 0.77 of that of the true images, since PSNR falls with more color. The one of the best PSNR
    is chosen; if none is colorful enough, the most colorful one.

    Args:
        lightness: L [n, H, W] of the images.
        logits: class logits [n, h, w, Q], at any resolution.
        log_weights: logarithm of the weights of the classes [Q].
        truth: true ab [n, H, W, 2].
        step: step of the classes, in units of ab.
    """
    true_images = _joined(lightness, truth)
    wanted = _VIVID * _colorfulness(true_images)

    def images(odds: Odds) -> list[NDArray[np.uint8]]:
        return _joined(lightness, _widened(classes.mean_ab(logits, log_weights, odds, step), lightness))

    def psnr(odds: Odds) -> float:
        return _psnr(images(odds), true_images)

    plain = {odds: psnr(odds) for odds in (Odds(1.0, debias) for debias in _DEBIASES)}
    faithful = min(odds for odds, value in plain.items() if value >= max(plain.values()) - _COLOR_WORTH)

    def dullest(temperature: float) -> Odds:
        """Returns the odds with the largest debias that are colorful enough; debias 0 if none are."""
        low, high = 0.0, 1.0  # colorfulness falls from low to high
        for _ in range(_DEBIAS_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if _colorfulness(images(Odds(temperature, middle))) >= wanted else (low, middle)
        return Odds(temperature, low)

    candidates = [dullest(temperature) for temperature in _TEMPERATURES]
    colorfulness = {odds: _colorfulness(images(odds)) for odds in candidates}
    enough = [odds for odds in candidates if colorfulness[odds] >= wanted]
    vivid = max(enough, key=psnr) if enough else max(candidates, key=colorfulness.__getitem__)
    return ChosenOdds(faithful, vivid, psnr(vivid) - _gray_psnr(lightness, true_images))


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
