"""Image metrics. Images are sRGB uint8 [H, W, 3]; errors are of values in [0, 1]; Lab is as in ``color``."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.color import Floats

_SSIM_SIDE = 11  # of its window
_NAZERI_AB = 2.2  # times eps: a and b span 220 where L spans 100
_BAND = 1 << 18  # pixels compared at a time: CIEDE2000 holds some twenty numbers for each


def mse(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Mean squared error, by definition: (t - i)^2 over pixels and channels of [0, 1]; 0 is equal, 1 the largest."""
    difference = truth.astype(np.float32) - image.astype(np.float32)
    return float(np.mean(np.square(difference), dtype=np.float64)) / 255.0**2


def mae(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Mean absolute error, by definition: |t - i| over pixels and channels of [0, 1]; 0 is equal, 1 the largest."""
    difference = truth.astype(np.float32) - image.astype(np.float32)
    return float(np.mean(np.abs(difference), dtype=np.float64)) / 255.0


def psnr(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio, 10 log10(1 / mse), in dB, from 0; infinite where the images are equal.

    The usual definition, for a peak of 1.
    """
    error = mse(truth, image)
    return 10 * math.log10(1 / error) if error else math.inf


def ssim(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Structural similarity, the mean over pixels and over R, G and B; 1 is equal, -1 the least.

    (2 m_t m_i + c1) (2 s_ti + c2) / ((m_t^2 + m_i^2 + c1) (s_t^2 + s_i^2 + c2)) with means m, variances s^2 and
    covariance s_ti in a Gaussian window of 11 pixels, sigma 1.5, c = (255 K)^2, K1 = 0.01, K2 = 0.03: Wang et al.
    (2004), "Image quality assessment: from error visibility to structural similarity", eq. 13. nan for an image with a
    side under 11 pixels.
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
    """Root of the mean of (t - i)^2 over pixels, a and b, of Lab [H, W, 3], in units of ab; 0 to 179 (blue, green).

    As "RMSE" over both chroma channels in Larsson et al. (2016), arXiv:1603.06668, there of another space.
    """
    return math.sqrt(float(np.mean(np.square(truth[..., 1:] - image[..., 1:]), dtype=np.float64)))


def ciede2000(truth: Floats, image: Floats) -> float:
    """Mean over pixels of CIE DE2000 between Lab [H, W, 3]; 0 is equal, 1 about what an eye just sees, 100 white-black.

    sqrt(l^2 + c^2 + h^2 + R c h), where l, c and h are the differences of lightness, chroma and hue, each over its
    weight there: CIE 142-2001, as Sharma, Wu and Dalal (2005) write it, with kL = kC = kH = 1. Blue and yellow have
    103. Lab of another library may have its white elsewhere by 2e-5, which is up to 0.002 in the mean.
    """
    from skimage.color import deltaE_ciede2000

    flat, other = truth.reshape(-1, 3), image.reshape(-1, 3)
    parts = [deltaE_ciede2000(flat[i : i + _BAND], other[i : i + _BAND]).sum() for i in range(0, len(flat), _BAND)]
    return float(np.sum(parts)) / len(flat)


def nazeri_accuracy(truth: Floats, image: Floats, eps: float) -> float:
    """Part of the pixels of Lab [H, W, 3] with |dL| <= eps, |da| <= 2.2 eps and |db| <= 2.2 eps, in [0, 1].

    Nazeri, Ng and Ebrahimi (2018), "Image colorization using generative adversarial networks", arXiv:1803.05400:
    its eps are 2 and 5, in per cent of each channel's range: 100 of L, 220 of a and b.
    """
    near = np.abs(truth - image) <= np.array([eps, _NAZERI_AB * eps, _NAZERI_AB * eps], np.float32)
    return float(near.all(axis=-1).mean())


def colorfulness_difference(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Colorfulness of the image less that of the truth, of any size and sign: below 0 where the image is dull.

    In its mean over images too much here makes good for too little there: it says whether a colorizer is dull.
    """
    return color.colorfulness(image) - color.colorfulness(truth)


def colorfulness_distance(truth: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """The same without its sign, from 0: its mean over images says how far off each one is."""
    return abs(colorfulness_difference(truth, image))
