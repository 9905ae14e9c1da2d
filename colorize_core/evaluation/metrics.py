"""Image metrics. Images are sRGB uint8 [H, W, 3]; errors are of values in [0, 1]."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mse(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Mean of (t - i)^2 over pixels and channels, values in [0, 1]; 0 is equal, 1 the largest."""
    difference = truth.astype(np.float32) - image.astype(np.float32)
    return float(np.mean(np.square(difference), dtype=np.float64)) / 255.0**2


def psnr(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio, 10 log10(1 / mse), in dB; infinite where the images are equal."""
    error = mse(truth, image)
    return 10 * math.log10(1 / error) if error else math.inf


def colorfulness(image: NDArray[Any]) -> float:
    """Hasler and Süsstrunk (2003), "Measuring colourfulness in natural images", eq. for M3, 0 (gray) to about 110.

    sqrt(s_rg^2 + s_yb^2) + 0.3 sqrt(m_rg^2 + m_yb^2) with signed rg = R - G, yb = (R + G) / 2 - B in [0, 255].
    """
    red, green, blue = (image[..., i].astype(np.float32) for i in range(3))
    rg, yb = red - green, (red + green) / 2 - blue
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))
