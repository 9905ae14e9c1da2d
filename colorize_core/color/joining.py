"""Joins lightness with chroma to sRGB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core.color import conversion, gamut
from colorize_core.color.conversion import Floats

_CHUNK = 32_000  # pixels joined at a time: 1 MB of floats stays in the cache, four times faster than a whole scan
_ROUNDING = np.float32(2e-5)  # error of float32 at the edge of the gamut, in linear light
_FINE_ROUNDING = np.float32(2e-6)  # near black a larger error would be visible in 16 bits


def join(lightness: Floats, ab: Floats, dtype: type[np.uint8 | np.uint16] = np.uint8) -> NDArray[Any]:
    """Returns sRGB [..., 3] of type ``dtype`` for L float32 [...] and ab float32 [..., 2].

    A color outside the gamut keeps its lightness and hue and loses chroma until it fits, so that the L of the result
    equals the given L to the rounding of 8 or 16 bits.

    Example:
        >>> join(np.float32([50]), np.float32([[0, 0]])).tolist()
        [[119, 119, 119]]
    """
    flat_l, flat_ab = lightness.reshape(-1), ab.reshape(-1, 2)
    out: NDArray[Any] = np.empty((flat_l.size, 3), dtype)
    if dtype == np.uint8:
        _join_8_bits(flat_l, flat_ab, out)
    else:
        for chunk in _chunks(flat_l.size):
            _join_16_bits(flat_l[chunk], flat_ab[chunk], out[chunk])
    return out.reshape(*lightness.shape, 3)


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, count, _CHUNK))


def _join_8_bits(lightness: Floats, ab: Floats, out: NDArray[np.uint8]) -> None:
    """Joins L [n] and ab [n, 2] with OpenCV, which clips each channel and so changes the lightness.

    Clipped channels are 0 or 255. Pixels that have one are fitted into the gamut, all together: they are few.
    """
    clipped = [np.empty(0, np.intp)]
    for chunk in _chunks(len(lightness)):
        rows = out[chunk][None]  # OpenCV takes images: here one row
        _convert(lightness[chunk], ab[chunk], rows)
        clipped.append(chunk.start + np.flatnonzero(cv2.inRange(rows, (1, 1, 1), (254, 254, 254)) == 0))
    places = np.concatenate(clipped)
    for chunk in _chunks(len(places)):
        there = places[chunk]
        fitted = np.empty((1, len(there), 3), np.uint8)
        factors = gamut.kept_chroma(lightness[there], ab[there], _ROUNDING)
        _convert(lightness[there], ab[there] * factors[:, None], fitted)
        out[there] = fitted[0]


def _convert(lightness: Floats, ab: Floats, out: NDArray[np.uint8]) -> None:
    """Converts L [n] and ab [n, 2] to sRGB [1, n, 3], clipped per channel."""
    lab = np.empty((1, len(lightness), 3), np.float32)
    cv2.mixChannels([lightness[None], ab[None]], [lab], (0, 0, 1, 1, 2, 2))  # four times faster than assignments
    cv2.convertScaleAbs(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), out, alpha=255)


def _join_16_bits(lightness: Floats, ab: Floats, out: NDArray[np.uint16]) -> None:
    """Joins L [n] and ab [n, 2] with the exact formulas, since OpenCV's tables are too coarse (0.05 in L)."""
    factors = gamut.kept_chroma(lightness, ab, _FINE_ROUNDING)
    planes = conversion.linear_planes(lightness, ab[:, 0] * factors, ab[:, 1] * factors)
    for channel, plane in enumerate(planes):
        out[:, channel] = np.rint(conversion.linear_to_srgb(plane) * np.float32(65535))
