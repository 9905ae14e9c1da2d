"""Pixels as a file's ICC profile or gamma means them, to sRGB and back, by LittleCMS.

LittleCMS gives and takes XYZ as floats, relative to the ICC's white (D50); between that and sRGB are one matrix and the
curve of `color`. Its own way to 16 bits goes through tables that miss dark tones by half a level of 8 bits.

Source: ICC.1:2022 (profile connection space), IEC 61966-2-1, PNG (third edition) 11.3.2.1 for gAMA.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.images.lazy_image import bands

_TOP = 65535
_AT_ONCE = 1 << 18  # pixels converted at a time: 6 MB of floats
_D50 = np.array([0.9642, 1.0, 0.8249])  # ICC.1:2022, 6.3.4.3
_NEAR = 1.5 / 255  # a profile that is nowhere further off is sRGB, of which there are a dozen


def space(icc: bytes | None) -> str:
    """What the profile describes: ``GRAY``, ``RGB``, ``CMYK``, ``LAB`` …; '' where there is none."""
    return icc[16:20].decode("latin-1").strip() if icc else ""


@lru_cache(maxsize=8)
def tones(icc: bytes) -> NDArray[np.uint16] | None:
    """sRGB gray value, in [0, 65535], of each value 0..65535 of a gray profile or of three equal RGB channels.

    None where that is what sRGB means by it, or where nobody can tell what the profile means.
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
    """The same of a PNG file's gAMA: a value is light to the power of ``gamma``."""
    if not 0.1 < gamma < 10 or abs(gamma - 1 / 2.2) < 0.01:
        return None
    light = (np.arange(_TOP + 1) / _TOP) ** (1 / gamma)
    return np.rint(_TOP * color.linear_to_srgb(light)).astype(np.uint16)


@lru_cache(maxsize=8)
def is_srgb(icc: bytes) -> bool:
    """Whether an RGB profile means about what sRGB does, or nothing that can be used both ways."""
    steps = (0, 64, 192, 255)
    colors = np.array([[i, j, k] for i in steps for j in steps for k in steps] + [[i, i, i] for i in range(256)])
    try:
        rgb = to_srgb(colors[None].astype(np.uint8), icc)
        from_srgb(rgb, icc, np.uint8)
    except (imagecodecs.CmsError, ValueError):
        return True
    off = np.abs(rgb[0] / _TOP - colors / 255).max(axis=-1)
    return bool(off[:64].max() < 2 * _NEAR and off[64:].max() < _NEAR)


def to_srgb(rgb: NDArray[Any], icc: bytes) -> NDArray[np.uint16]:
    """sRGB uint16 [H, W, 3] of a profile's RGB, uint8 or uint16; what sRGB has not is clipped. Raises CmsError."""
    out = np.empty(rgb.shape, np.uint16)
    for rows in bands(rgb, _AT_ONCE):
        linear = _to_xyz(rgb[rows], icc, "RGB") @ _linear_from_xyz()
        out[rows] = np.rint(_TOP * color.linear_to_srgb(linear))
    return out


def from_srgb(rgb: NDArray[Any], icc: bytes, dtype: type[np.uint8 | np.uint16]) -> NDArray[Any]:
    """A profile's RGB [H, W, 3], uint8 or uint16, of sRGB uint8 or uint16. Raises CmsError."""
    out = np.empty(rgb.shape, dtype)
    for rows in bands(rgb, _AT_ONCE):
        xyz = color.srgb_to_linear(rgb[rows]).astype(np.float64) @ np.linalg.inv(_linear_from_xyz())
        out[rows] = imagecodecs.cms_transform(xyz, _xyz(), icc, colorspace="xyz", outcolorspace="rgb", outdtype=dtype)
    return out


def lab_to_srgb(lab: NDArray[np.float64], dtype: type[np.uint8 | np.uint16]) -> NDArray[Any]:
    """sRGB [H, W, 3] of Lab under D50, L in 0..100; what sRGB has not is clipped."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = _D50 * np.where(f > 6 / 29, f**3, (f - 4 / 29) * (108 / 841))  # CIE 15:2004, 8.2.1
    return np.rint(np.iinfo(dtype).max * color.linear_to_srgb(xyz @ _linear_from_xyz())).astype(dtype)


def _to_xyz(pixels: NDArray[Any], icc: bytes, kind: str) -> NDArray[np.float64]:
    xyz: NDArray[np.float64] = imagecodecs.cms_transform(
        pixels, icc, _xyz(), colorspace=kind.lower(), outcolorspace="xyz", outdtype=np.float64
    )
    return xyz


@lru_cache(maxsize=1)
def _xyz() -> bytes:
    return bytes(imagecodecs.cms_profile("xyz"))


@lru_cache(maxsize=1)
def _linear_from_xyz() -> NDArray[np.float64]:
    """[3, 3] from XYZ under D50, as LittleCMS has the primaries of sRGB there."""
    primaries = np.eye(3, dtype=np.uint8)[None] * np.uint8(255)
    return np.linalg.inv(_to_xyz(primaries, bytes(imagecodecs.cms_profile("srgb")), "RGB")[0])
