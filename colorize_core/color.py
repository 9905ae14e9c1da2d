"""Converts between sRGB, CIE Lab and gray, and joins lightness with chroma. Vectorized over any leading axes.

Lab is CIE 1976 L*a*b* under D65, 2 degree observer: L in [0, 100], a and b about [-128, 127]. RGB is sRGB
(IEC 61966-2-1), uint8 in [0, 255] or float in [0, 1]. Channels come last. The white point is the sum of the rows of
the RGB to XYZ matrix, so that a neutral pixel has a = b = 0 exactly; scikit-image's white differs by 2e-5.

Sources: IEC 61966-2-1:1999 (transfer function, primaries); CIE 15:2004, 8.2.1 (L*a*b*); ITU-R BT.601-7, 2.5.1 (luma).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
ColorSpace = Literal["lab", "rgb"]
GrayFormula = Literal["luminance", "average", "lightness"]
AB_SCALE = 128.0  # networks take and return ab / AB_SCALE, about [-1, 1]
CHANNELS: dict[ColorSpace, int] = {"lab": 2, "rgb": 3}  # of the colors that a network predicts: ab, or RGB

_XYZ_FROM_RGB = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]], np.float64
)
_WHITE = _XYZ_FROM_RGB.sum(axis=1)
# Both matrices work on XYZ relative to white, the only form in which Lab uses it.
_RELATIVE_XYZ_FROM_RGB = (_XYZ_FROM_RGB / _WHITE[:, None]).astype(np.float32)
_RGB_FROM_RELATIVE_XYZ = (np.linalg.inv(_XYZ_FROM_RGB) * _WHITE).astype(np.float32)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_DELTA = 6.0 / 29.0  # below it the cube root of CIE is replaced by a straight line
_CHUNK = 1 << 16  # pixels joined at a time: 2 MB of floats stay in the cache, four times faster than a whole scan
_LUMINANCE_STEPS = 65535  # steps of the table that maps luminance to L
_BISECTIONS = 10  # finds chroma to 1/1024 of the requested chroma
_ROUNDING = np.float32(2e-5)  # error of float32 at the edge of the gamut, in linear light
_FINE_ROUNDING = np.float32(2e-6)  # near black a larger error would be visible in 16 bits


def srgb_to_linear(rgb: NDArray[Any]) -> Floats:
    """Returns linear light in [0, 1] for sRGB values: float in [0, 1], uint8 or uint16 of full range.

    Example:
        >>> srgb_to_linear(np.array([0, 188, 255], np.uint8)).round(2).tolist()
        [0.0, 0.5, 1.0]
    """
    if rgb.dtype in (np.uint8, np.uint16):
        table = _linear_table(int(np.iinfo(rgb.dtype).max))
        return np.take(table, rgb)
    return _srgb_to_linear(rgb.astype(np.float64)).astype(np.float32)


def linear_to_srgb(linear: NDArray[Any]) -> Floats:
    """Returns sRGB values in [0, 1] for linear light, which is clipped to [0, 1]."""
    return _linear_to_srgb(np.clip(linear, 0.0, 1.0)).astype(np.float32)


def rgb_to_lab(rgb: NDArray[Any]) -> Floats:
    """Returns Lab float32 [..., 3] for sRGB [..., 3], uint8 or float in [0, 1].

    Example:
        >>> rgb_to_lab(np.array([255, 0, 0], np.uint8)).round().tolist()
        [53.0, 80.0, 67.0]
    """
    f = _forward(srgb_to_linear(rgb) @ _RELATIVE_XYZ_FROM_RGB.T)
    lightness = 116.0 * f[..., 1] - 16.0
    return np.stack([lightness, 500.0 * (f[..., 0] - f[..., 1]), 200.0 * (f[..., 1] - f[..., 2])], axis=-1)


def lab_to_rgb(lab: NDArray[Any]) -> Floats:
    """Returns sRGB float32 [..., 3] in [0, 1] for Lab [..., 3]; colors outside the gamut are clipped per channel.

    Example:
        >>> (255 * lab_to_rgb(np.array([50.0, 0.0, 0.0]))).round().tolist()
        [119.0, 119.0, 119.0]
    """
    return linear_to_srgb(_linear_rgb(lab[..., 0].astype(np.float32), lab[..., 1:].astype(np.float32)))


def lightness(pixels: NDArray[Any]) -> Floats:
    """Returns L float32 [...] in [0, 100] for gray pixels [...]: uint8, uint16 of full range, or float in [0, 1].

    Example:
        >>> lightness(np.array([0, 119, 255], np.uint8)).round().tolist()
        [0.0, 50.0, 100.0]
    """
    if pixels.dtype in (np.uint8, np.uint16):
        table = _lightness_table(int(np.iinfo(pixels.dtype).max))
        return np.take(table, pixels)
    return _lightness_of_luminance(srgb_to_linear(pixels))


def rgb_lightness(rgb: NDArray[Any]) -> Floats:
    """Returns L float32 [...] in [0, 100] for sRGB [..., 3], uint8 or uint16: exact to 0.01 of a step of 8 bits.

    Faster than ``rgb_to_lab``, as a and b are not computed.
    """
    table = _linear_table(int(np.iinfo(rgb.dtype).max))
    red, green, blue = (weight * table for weight in _RELATIVE_XYZ_FROM_RGB[1])
    y = red[rgb[..., 0]] + green[rgb[..., 1]] + blue[rgb[..., 2]]
    if rgb.dtype == np.uint16:
        return _lightness_of_luminance(y)
    steps = (y * np.float32(_LUMINANCE_STEPS) + np.float32(0.5)).astype(np.uint16)
    lightness: Floats = np.take(_luminance_table(), steps)
    return lightness


def gray(rgb: NDArray[np.uint8], formula: GrayFormula) -> Floats:
    """Returns gray sRGB values float32 [...] in [0, 1] for sRGB uint8 [..., 3].

    ``luminance`` is BT.601 luma (0.299 R + 0.587 G + 0.114 B), ``average`` the mean of the channels, ``lightness``
    the neutral color of equal CIE lightness.

    Example:
        >>> (255 * gray(np.array([[255, 0, 0]], np.uint8), "luminance")).round().tolist()
        [76.0]
    """
    if formula == "luminance":
        luma: Floats = (rgb @ _LUMA) / np.float32(255.0)
        return luma
    if formula == "average":
        average: Floats = rgb.mean(axis=-1, dtype=np.float32) / np.float32(255.0)
        return average
    return linear_to_srgb(srgb_to_linear(rgb) @ _RELATIVE_XYZ_FROM_RGB[1])


def join(lightness: Floats, ab: Floats, dtype: type[np.uint8 | np.uint16] = np.uint8) -> NDArray[Any]:
    """Returns sRGB [..., 3] of type ``dtype`` for L float32 [...] and ab float32 [..., 2].

    A color outside the gamut keeps its lightness and hue and loses chroma until it fits, so that the L of the result
    equals the given L to the rounding of 8 or 16 bits.

    Example:
        >>> join(np.float32([50]), np.float32([[0, 0]])).tolist()
        [[119, 119, 119]]
    """
    flat_l, flat_ab = lightness.reshape(-1), ab.reshape(-1, 2)
    out = np.empty((flat_l.size, 3), dtype)
    for start in range(0, flat_l.size, _CHUNK):
        chunk = slice(start, start + _CHUNK)
        join_chunk = _join_chunk_8_bits if dtype == np.uint8 else _join_chunk_16_bits
        out[chunk] = join_chunk(flat_l[chunk], flat_ab[chunk])
    return out.reshape(*lightness.shape, 3)


def _join_chunk_8_bits(lightness: Floats, ab: Floats) -> NDArray[np.uint8]:
    """Joins L [n] and ab [n, 2] that fit into the cache of the processor."""
    lab = np.concatenate([lightness[:, None], ab], axis=-1, dtype=np.float32)
    rgb: Floats = cv2.cvtColor(lab[None], cv2.COLOR_LAB2RGB)[0]  # OpenCV takes images: here one row of n pixels
    # OpenCV clips each channel, which changes the lightness. Clipped channels are exactly 0 or 1; these pixels are
    # computed again.
    low, high = _extremes(*np.moveaxis(rgb, -1, 0))
    clipped = (low <= 0.0) | (high >= 1.0)
    if clipped.any():
        rgb[clipped] = linear_to_srgb(_fit_gamut(lightness[clipped], ab[clipped], _ROUNDING))
    return (rgb * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)


def _join_chunk_16_bits(lightness: Floats, ab: Floats) -> NDArray[np.uint16]:
    """Joins L [n] and ab [n, 2] to 16 bits, for which the tables of OpenCV are too coarse (0.05 in L)."""
    linear = _linear_rgb(lightness, ab)
    low, high = _extremes(*np.moveaxis(linear, -1, 0))
    outside = (low < 0.0) | (high > 1.0)
    if outside.any():
        linear[outside] = _fit_gamut(lightness[outside], ab[outside], _FINE_ROUNDING)
    rgb: NDArray[np.uint16] = np.rint(linear_to_srgb(linear) * np.float32(65535.0)).astype(np.uint16)
    return rgb


def _fit_gamut(lightness: Floats, ab: Floats, tolerance: np.float32) -> Floats:
    """Returns linear RGB float32 [n, 3] in the gamut, for L [n] and ab [n, 2] times the largest possible factor.

    Finds the factor, which is at most 1, by bisection.
    """
    fy, fa, fb = (lightness + 16.0) / 116.0, ab[:, 0] / 500.0, ab[:, 1] / 200.0
    inside = np.zeros_like(fy)
    step = np.float32(1.0)  # the color itself is tried first: it may lie on the edge, which is not convex near yellow
    for _ in range(_BISECTIONS + 1):
        factor = np.minimum(inside + step, np.float32(1.0))
        step /= 2
        planes = _linear_planes(fy + fa * factor, fy, fy - fb * factor)
        low, high = _extremes(*planes)
        inside = np.where((low >= -tolerance) & (high <= 1.0 + tolerance), factor, inside)
    return np.stack(_linear_planes(fy + fa * inside, fy, fy - fb * inside), axis=-1)


def _extremes(red: Floats, green: Floats, blue: Floats) -> tuple[Floats, Floats]:
    """Returns the smallest and largest channel of each pixel. A reduction over an axis of 3 is 10 times slower."""
    return np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)


def _linear_planes(fx: Floats, fy: Floats, fz: Floats) -> list[Floats]:
    """Returns linear R, G and B for f(X/Xn), f(Y/Yn), f(Z/Zn) of CIE, as planes: channels last are 4 times slower."""
    x, y, z = _inverse(fx), _inverse(fy), _inverse(fz)
    return [row[0] * x + row[1] * y + row[2] * z for row in _RGB_FROM_RELATIVE_XYZ]


def _linear_rgb(lightness: Floats, ab: Floats) -> Floats:
    """Returns linear RGB [..., 3] for L [...] and ab [..., 2], not clipped to the gamut."""
    fy = (lightness + 16.0) / 116.0
    return np.stack(_linear_planes(fy + ab[..., 0] / 500.0, fy, fy - ab[..., 1] / 200.0), axis=-1)


def _lightness_of_luminance(y: NDArray[Any]) -> Floats:
    lightness: NDArray[Any] = 116.0 * _forward(y) - 16.0
    return lightness.astype(np.float32)


def _forward(t: NDArray[Any]) -> NDArray[Any]:
    return np.where(t > _DELTA**3, np.cbrt(t), t / (3 * _DELTA**2) + 4.0 / 29.0)


def _inverse(f: Floats) -> Floats:
    return np.where(f > _DELTA, f * f * f, (3 * _DELTA**2) * (f - 4.0 / 29.0))


def _srgb_to_linear(v: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def _linear_to_srgb(v: NDArray[Any]) -> NDArray[Any]:
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


@lru_cache(maxsize=2)
def _linear_table(top: int) -> Floats:
    return _srgb_to_linear(np.arange(top + 1) / top).astype(np.float32)


@lru_cache(maxsize=2)
def _lightness_table(top: int) -> Floats:
    return _lightness_of_luminance(_srgb_to_linear(np.arange(top + 1) / top))


@lru_cache(maxsize=1)
def _luminance_table() -> Floats:
    return _lightness_of_luminance(np.arange(_LUMINANCE_STEPS + 1) / _LUMINANCE_STEPS)


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
