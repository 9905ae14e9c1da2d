"""Converts between sRGB, linear light, CIE Lab and gray. Vectorized over any leading axes.

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
_LUMINANCE_STEPS = 65535  # steps of the table that maps luminance to L


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
    lightness, a, b = np.moveaxis(lab.astype(np.float32), -1, 0)
    return linear_to_srgb(np.stack(linear_planes(lightness, a, b), axis=-1))


def lightness(pixels: NDArray[Any]) -> Floats:
    """Returns L float32 [...] in [0, 100] for gray pixels [...]: uint8, uint16 of full range, or float in [0, 1].

    Example:
        >>> lightness(np.array([0, 119, 255], np.uint8)).round().tolist()
        [0.0, 50.0, 100.0]
    """
    if pixels.dtype == np.uint8 and pixels.size:  # OpenCV is four times faster than NumPy
        found: Floats = cv2.LUT(pixels.reshape(1, -1), _lightness_table(255)).reshape(pixels.shape)
        return found
    if pixels.dtype in (np.uint8, np.uint16):
        return np.take(_lightness_table(int(np.iinfo(pixels.dtype).max)), pixels)
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


def linear_planes(lightness: Floats, a: Floats, b: Floats) -> list[Floats]:
    """Returns linear R, G and B [...] for L, a and b [...], not clipped to the gamut.

    Planes, since arrays with channels last are four times slower.
    """
    fy = (lightness + 16.0) / 116.0
    x, y, z = _inverse(fy + a / 500.0), _inverse(fy), _inverse(fy - b / 200.0)
    return [row[0] * x + row[1] * y + row[2] * z for row in _RGB_FROM_RELATIVE_XYZ]


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
