"""Image metrics. Images are sRGB uint8 [H, W, 3]; errors are in units of [0, 1]; Lab is that of ``color``."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.color import Floats

_SSIM_SIDE = 11  # pixels of the window
_NAZERI_AB = 2.2  # times eps: a and b span 220 where L spans 100
_BAND = 1 << 18  # pixels compared at a time: CIEDE2000 holds some twenty numbers for each


def mse(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Returns the mean squared error: the mean of (t - i)^2 over pixels and channels, in [0, 1], 0 if equal."""
    difference = truth.astype(np.float32) - image.astype(np.float32)
    return float(np.mean(np.square(difference), dtype=np.float64)) / 255.0**2


def mae(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Returns the mean absolute error: the mean of |t - i| over pixels and channels, in [0, 1], 0 if equal."""
    difference = truth.astype(np.float32) - image.astype(np.float32)
    return float(np.mean(np.abs(difference), dtype=np.float64)) / 255.0


def psnr(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Returns the peak signal-to-noise ratio in dB, 10 log10(1 / mse): at least 0, infinite if the images are equal.

    This is the usual definition for a peak of 1.
    """
    error = mse(truth, image)
    return 10 * math.log10(1 / error) if error else math.inf


def ssim(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Returns the structural similarity, the mean over pixels and over R, G and B: 1 if equal, at least -1.

    It is (2 m_t m_i + c1) (2 s_ti + c2) / ((m_t^2 + m_i^2 + c1) (s_t^2 + s_i^2 + c2)) with means m, variances s^2 and
    covariance s_ti in a Gaussian window of 11 pixels, sigma 1.5, c = (255 K)^2, K1 = 0.01, K2 = 0.03: Wang et al.
    (2004), "Image quality assessment: from error visibility to structural similarity", eq. 13. The result is
    nan for an image with a side under 11 pixels.
    """
    from skimage.metrics import structural_similarity

    if min(truth.shape[:2]) < _SSIM_SIDE:
        return math.nan
    settings = {"data_range": 255.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    planes = [  # one at a time, in float32: a scan of 12 Mpixel would take 3 GB at once
        structural_similarity(truth[..., c].astype(np.float32), image[..., c].astype(np.float32), **settings)
        for c in range(3)
    ]
    return float(np.mean(planes))


def rmse_ab(truth: Floats, image: Floats) -> float:
    """Returns the root mean squared error of a and b over the pixels of Lab [H, W, 3], in units of ab.

    It is 0 if the images are equal, and at most 179, between blue and green. Larsson et al. (2016), arXiv:1603.06668,
    use the same over both chroma channels of another color space.
    """
    return math.sqrt(float(np.mean(np.square(truth[..., 1:] - image[..., 1:]), dtype=np.float64)))


def ciede2000(truth: Floats, image: Floats) -> float:
    """Returns the mean CIE DE2000 over pixels of Lab [H, W, 3]: 0 if equal, 1 is just visible, 100 white to black.

    It is sqrt(l^2 + c^2 + h^2 + R c h), where l, c and h are the differences of lightness, chroma and hue, each divided
    by its weight: CIE 142-2001, as Sharma, Wu and Dalal (2005) write it, with kL = kC = kH = 1. Blue and yellow differ
    by 103. Another library may have a white point that differs by 2e-5, which changes the mean by up to 0.002.
    """
    from skimage.color import deltaE_ciede2000

    flat, other = truth.reshape(-1, 3), image.reshape(-1, 3)
    parts = [deltaE_ciede2000(flat[i : i + _BAND], other[i : i + _BAND]).sum() for i in range(0, len(flat), _BAND)]
    return float(np.sum(parts)) / len(flat)


def nazeri_accuracy(truth: Floats, image: Floats, eps: float) -> float:
    """Returns the part of pixels of Lab [H, W, 3] with |dL| <= eps, |da| <= 2.2 eps and |db| <= 2.2 eps, in [0, 1].

    Source: Nazeri, Ng and Ebrahimi (2018), "Image colorization using generative adversarial networks",
    arXiv:1803.05400. The paper uses an eps of 2 and 5, in per cent of each channel's range: 100 for L, 220 for a and b.
    """
    near = np.abs(truth - image) <= np.array([eps, _NAZERI_AB * eps, _NAZERI_AB * eps], np.float32)
    return float(near.all(axis=-1).mean())


def colorfulness_difference(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Returns the colorfulness of the image minus that of the truth; it is negative if the image is too dull.

    In the mean over images, too much and too little cancel out. The mean says whether a colorizer is dull overall.
    """
    return color.colorfulness(image) - color.colorfulness(truth)


def colorfulness_distance(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Returns the absolute difference in colorfulness. Its mean over images says how far off a single image is."""
    return abs(colorfulness_difference(truth, image))
