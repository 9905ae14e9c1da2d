"""Measures how colorful an image is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def colorfulness(image: NDArray[Any]) -> float:
    """Returns the colorfulness of sRGB uint8 [H, W, 3]: 0 is gray, vivid photographs reach about 100.

    sqrt(s_rg^2 + s_yb^2) + 0.3 sqrt(m_rg^2 + m_yb^2) with signed rg = R - G, yb = (R + G) / 2 - B in [0, 255], s the
    standard deviation and m the mean.

    Source: Hasler and Süsstrunk (2003), "Measuring colourfulness in natural images", metric M3. Their photographs
    have up to 109; flat colors side by side have more.

    Example:
        >>> colorfulness(np.full((8, 8, 3), 90, np.uint8))
        0.0
    """
    red, green, blue = (image[..., i].astype(np.float32) for i in range(3))
    rg, yb = red - green, (red + green) / 2 - blue
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))
