"""Finds the chroma factor at which the mean colorfulness of the colorized images equals that of the originals."""

from __future__ import annotations

import cv2
import numpy as np

from colorize_core import color
from colorize_core.color import Floats

_RANGE = (0.25, 4.0)  # bounded: a network that predicts gray would need an infinite gain
_BISECTIONS = 8  # halve the range of 3.75 to 0.015


def vivid_gain(lightness: Floats, ab: Floats, truth: Floats) -> float:
    """Returns the factor of ab, in [1/4, 4], at which the colorized images are as colorful as the true ones on average.

    Args:
        lightness: L [n, H, W] of the images.
        ab: predicted ab [n, h, w, 2], at any resolution.
        truth: true ab [n, H, W, 2].
    """
    size = lightness.shape[2], lightness.shape[1]
    full = np.stack([cv2.resize(each, size, interpolation=cv2.INTER_CUBIC) for each in ab])

    def colorfulness(chroma: Floats) -> float:
        images = (color.join(one, other) for one, other in zip(lightness, chroma, strict=True))
        return float(np.mean([color.colorfulness(image) for image in images]))

    wanted = colorfulness(truth)
    low, high = _RANGE
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if colorfulness(np.float32(middle) * full) < wanted else (low, middle)
    return round((low + high) / 2, 2)
