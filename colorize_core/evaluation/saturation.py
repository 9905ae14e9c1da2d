"""How much more chroma than the network says makes its pictures as colorful as the truth."""

from __future__ import annotations

import cv2
import numpy as np

from colorize_core import color
from colorize_core.color import Floats

_RANGE = (0.25, 4.0)  # a network that says nothing needs an infinite gain
_BISECTIONS = 8  # to 0.02


def vivid_gain(lightness: Floats, ab: Floats, truth: Floats) -> float:
    """The factor of ab, in [1/4, 4], at which the mean colorfulness of the images is that of the true ones.

    Args:
        lightness: L [n, H, W] of all.
        ab: predicted, [n, h, w, 2] of any resolution.
        truth: ab [n, H, W, 2].
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
