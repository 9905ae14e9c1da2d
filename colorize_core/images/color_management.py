"""Converts pixels between sRGB and the color space of a file's ICC profile or gamma, with LittleCMS.

LittleCMS converts to and from XYZ as floats, relative to the white of ICC (D50). Between XYZ and sRGB are one matrix
and the curve of ``color``. Its direct conversion to 16 bits uses tables that miss dark tones by half a level of 8 bits.

Source: ICC.1:2022 (profile connection space), IEC 61966-2-1, PNG (third edition) 11.3.2.1 for gAMA.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.images.lazy_image import bands

_TOP = 65535
_BAND_PIXELS = 1 << 18  # converted at a time: 6 MB of floats
_D50 = np.array([0.9642, 1.0, 0.8249])  # ICC.1:2022, 6.3.4.3
_NEAR = 1.5 / 255  # a profile that differs less everywhere is sRGB, of which a dozen versions exist


def space(icc: bytes | None) -> str:
    """Returns the color space of a profile: ``GRAY``, ``RGB``, ``CMYK``, ``LAB`` …; '' without a profile.

    Example:
        >>> space(bytes(imagecodecs.cms_profile("srgb")))
        'RGB'
    """
    return icc[16:20].decode("latin-1").strip() if icc else ""


@lru_cache(maxsize=8)
def tones(icc: bytes) -> NDArray[np.uint16] | None:
    """Returns the sRGB gray value, uint16 [65536], of each value of a gray profile or of three equal RGB channels.

    Returns None if the profile means the same as sRGB, or if LittleCMS cannot read it.
    """
    ramp = np.arange(_TOP + 1, dtype=np.uint16)[None]
    kind = space(icc)
    try:
        xyz = _to_xyz(ramp if kind == "GRAY" else np.repeat(ramp[..., None], 3, axis=-1), icc, kind)
    except (imagecodecs.CmsError, ValueError):
        return None
    curve = color.linear_to_srgb(xyz[0, :, 1])
    if np.abs(curve - ramp[0] / _TOP).max() < _NEAR:
        return None
    return np.rint(_TOP * curve).astype(np.uint16)


def gamma_tones(gamma: float) -> NDArray[np.uint16] | None:
    """Returns the sRGB gray value, uint16 [65536], of each value of a PNG file with gAMA: value = light ** gamma.

    Returns None if the gamma is about that of sRGB, or impossible.
    """
    if not 0.1 < gamma < 10 or abs(gamma - 1 / 2.2) < 0.01:
        return None
    light = (np.arange(_TOP + 1) / _TOP) ** (1 / gamma)
    return np.rint(_TOP * color.linear_to_srgb(light)).astype(np.uint16)


@lru_cache(maxsize=8)
def is_srgb(icc: bytes) -> bool:
    """Returns True if an RGB profile is close to sRGB, or if LittleCMS cannot use it in both directions."""
    steps = (0, 64, 192, 255)
    colors = np.array([[i, j, k] for i in steps for j in steps for k in steps] + [[i, i, i] for i in range(256)])
    try:
        rgb = to_srgb(colors[None].astype(np.uint8), icc)
        from_srgb(rgb, icc, np.uint8)
    except (imagecodecs.CmsError, ValueError):
        return True
    difference = np.abs(rgb[0] / _TOP - colors / 255).max(axis=-1)
    return bool(difference[:64].max() < 2 * _NEAR and difference[64:].max() < _NEAR)


def to_srgb(rgb: NDArray[Any], icc: bytes) -> NDArray[np.uint16]:
    """Converts RGB of a profile, uint8 or uint16, to sRGB uint16 [H, W, 3]; colors outside sRGB are clipped.

    Raises CmsError.
    """
    out = np.empty(rgb.shape, np.uint16)
    for rows in bands(rgb, _BAND_PIXELS):
        linear = _to_xyz(rgb[rows], icc, "RGB") @ _linear_from_xyz()
        out[rows] = np.rint(_TOP * color.linear_to_srgb(linear))
    return out


def from_srgb(rgb: NDArray[Any], icc: bytes, dtype: type[np.uint8 | np.uint16]) -> NDArray[Any]:
    """Converts sRGB, uint8 or uint16, to RGB of a profile, [H, W, 3] of type ``dtype``. Raises CmsError."""
    out = np.empty(rgb.shape, dtype)
    for rows in bands(rgb, _BAND_PIXELS):
        xyz = color.srgb_to_linear(rgb[rows]).astype(np.float64) @ np.linalg.inv(_linear_from_xyz())
        out[rows] = imagecodecs.cms_transform(xyz, _xyz(), icc, colorspace="xyz", outcolorspace="rgb", outdtype=dtype)
    return out


def lab_to_srgb(lab: NDArray[np.float64], dtype: type[np.uint8 | np.uint16]) -> NDArray[Any]:
    """Converts Lab under D50, L in 0..100, to sRGB [H, W, 3] of type ``dtype``; colors outside sRGB are clipped."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = _D50 * np.where(f > 6 / 29, f**3, (f - 4 / 29) * (108 / 841))  # CIE 15:2004, 8.2.1
    return np.rint(np.iinfo(dtype).max * color.linear_to_srgb(xyz @ _linear_from_xyz())).astype(dtype)


def _to_xyz(pixels: NDArray[Any], icc: bytes, kind: str) -> NDArray[np.float64]:
    """Converts pixels of a profile to XYZ under D50. Raises CmsError."""
    xyz: NDArray[np.float64] = imagecodecs.cms_transform(
        pixels, icc, _xyz(), colorspace=kind.lower(), outcolorspace="xyz", outdtype=np.float64
    )
    return xyz


@lru_cache(maxsize=1)
def _xyz() -> bytes:
    return bytes(imagecodecs.cms_profile("xyz"))


@lru_cache(maxsize=1)
def _linear_from_xyz() -> NDArray[np.float64]:
    """Returns the matrix [3, 3] from XYZ under D50 to linear sRGB, with the primaries that LittleCMS uses."""
    primaries = np.eye(3, dtype=np.uint8)[None] * np.uint8(255)
    return np.linalg.inv(_to_xyz(primaries, bytes(imagecodecs.cms_profile("srgb")), "RGB")[0])


def in_srgb(pixels: NDArray[Any], info: Mapping[Any, Any], file_format: str | None) -> NDArray[Any]:
    """Converts pixels from the color space of their file to sRGB; to uint16 if they change, as 8 bits would lose some.

    Args:
        pixels: uint8 or uint16, [H, W] or [H, W, 3].
        info: what Pillow found in the file, with ``icc_profile``, ``gamma`` and ``srgb``.
        file_format: Pillow's name of the file's format.
    """
    icc = info.get("icc_profile")
    if pixels.ndim == 3 and icc:
        return to_srgb(pixels, icc) if space(icc) == "RGB" and not is_srgb(icc) else pixels
    curve = tones_of(info, file_format)
    if curve is None:
        return pixels
    return np.take(curve, pixels if pixels.dtype == np.uint16 else pixels.astype(np.uint16) * 257)


def tones_of(info: Mapping[Any, Any], file_format: str | None) -> NDArray[np.uint16] | None:
    """Returns the sRGB gray value, uint16 [65536], of each gray value of the file; None if they are sRGB."""
    icc = info.get("icc_profile")
    if icc:
        kind = space(icc)
        return tones(icc) if kind == "GRAY" or (kind == "RGB" and not is_srgb(icc)) else None
    if file_format == "PNG" and "srgb" not in info and "gamma" in info:
        return gamma_tones(info["gamma"])
    return None
