"""Finds how much of its chroma a color keeps inside the gamut of sRGB, at the same lightness and hue.

The largest chroma at a lightness and hue comes from a table. At each hue it has a peak, at the lightness of the most
colorful color (the cusp), and is smooth between black, cusp and white: so the rows of the table are hues, and its
columns lie between these three. What the table says is then checked with the exact formulas.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core.color import conversion
from colorize_core.color.conversion import Floats

_HUES = 1024  # rows of the table: steps of 0.35 degrees
_COLUMNS = 64  # of the table from black to the cusp, and from there to white
_LARGEST_CHROMA = 150.0  # no color of sRGB has more than 134
_BISECTIONS = 16
_TABLE_ROUNDING = np.float32(1e-6)
_RAMP = 2000  # colors on each of the six edges of the RGB cube where the cusps lie
_FRACTIONS = np.float32(1024)  # chroma is kept in 1024ths
_STEPS = (np.float32(4), np.float32(16))  # in 1024ths: where the table is off by more than 1
# The gamut has a dent near yellow, where a table of one edge would be wrong: units of L, radians.
_YELLOW_LIGHTNESS, _YELLOW_HUE, _YELLOW_WIDTH = 88, 1.77, 0.12


def kept_chroma(lightness: Floats, ab: Floats, tolerance: np.float32) -> Floats:
    """Returns factors of ab, at most 1: the largest multiples of 1/1024 at which colors are in the gamut, float32 [n].

    Args:
        lightness: L [n], of at most 32,000 colors.
        ab: [n, 2].
        tolerance: how far linear RGB may be outside [0, 1]: the error of float32 there.

    Example:
        >>> kept_chroma(np.float32([50, 50]), np.float32([[10, 0], [160, 0]]), np.float32(1e-5)).round(1).tolist()
        [1.0, 0.5]
    """
    a, b = np.ascontiguousarray(ab[:, 0]), np.ascontiguousarray(ab[:, 1])
    factors = np.ones_like(lightness)
    outside = np.flatnonzero(~_is_inside(lightness, a, b, tolerance))
    if not len(outside):
        return factors
    lightness, a, b = lightness[outside], a[outside], b[outside]
    hue = np.arctan2(b, a)
    # Rounded up: what is too large by one is found by its neighbor.
    guess = np.ceil(np.minimum(_largest_chroma(lightness, hue) / np.hypot(a, b) * _FRACTIONS, _FRACTIONS - 1))
    fits = _is_inside(lightness, a, b, tolerance, guess)
    neighbor = np.where(fits, guess + 1, guess - 1)
    neighbor_fits = _is_inside(lightness, a, b, tolerance, neighbor)
    low = np.where(neighbor_fits, neighbor, np.where(fits, guess, 0))
    high = np.where(neighbor_fits, np.where(fits, _FRACTIONS, guess), np.where(fits, neighbor, guess - 1))
    near_yellow = (lightness > _YELLOW_LIGHTNESS) & (np.abs(hue - _YELLOW_HUE) < _YELLOW_WIDTH)
    low[near_yellow], high[near_yellow] = 0, _FRACTIONS

    def narrow(places: NDArray[np.intp], tried: Floats) -> None:
        inside = _is_inside(lightness[places], a[places], b[places], tolerance, tried)
        low[places[inside]], high[places[~inside]] = tried[inside], tried[~inside]

    for step in _STEPS:
        places = np.flatnonzero((high - low > 1) & ((low == 0) | (high == _FRACTIONS)) & ~near_yellow)
        narrow(places, np.clip(guess[places] + np.where(fits[places], step, -step), 0, _FRACTIONS))
    while len(places := np.flatnonzero(high - low > 1)):
        narrow(places, np.floor((low[places] + high[places]) / 2))
    factors[outside] = low / _FRACTIONS
    return factors


def _is_inside(
    lightness: Floats, a: Floats, b: Floats, tolerance: np.float32, kept: Floats | None = None
) -> NDArray[np.bool_]:
    """Returns True for each color of the gamut, also after ``kept`` 1024ths of the chroma are kept.

    A reduction over an axis of three channels would be 10 times slower.
    """
    if kept is not None:
        factor = kept / _FRACTIONS
        a, b = a * factor, b * factor
    red, green, blue = conversion.linear_planes(lightness, a, b)
    low, high = np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)
    inside: NDArray[np.bool_] = (low >= -tolerance) & (high <= 1 + tolerance)
    return inside


class _Table(NamedTuple):
    cusps: Floats  # L of the most colorful color of each hue [_HUES + 1, 1]
    chroma: Floats  # largest chroma at each hue and step [_HUES + 1, 2 * _COLUMNS + 1]


def _largest_chroma(lightness: Floats, hue: Floats) -> Floats:
    """Returns the largest chroma in the gamut [n] for L [n] and hue [n] in [-pi, pi], interpolated linearly."""
    cusps, chroma = _table()
    row = (hue + np.float32(np.pi)) * np.float32(_HUES / (2 * np.pi))
    cusp = _interpolate(cusps, np.zeros_like(row), row)
    steps = np.where(lightness < cusp, lightness / cusp, 2 - (100 - lightness) / (100 - cusp))
    return _interpolate(chroma, steps * np.float32(_COLUMNS), row)


def _interpolate(table: Floats, column: Floats, row: Floats) -> Floats:
    """Returns values of a table [rows, columns] at places [n] between its rows and columns."""
    values: Floats = cv2.remap(table, column[None], row[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    return values


@lru_cache(maxsize=1)
def _table() -> _Table:
    """Computes the table, in 50 ms."""
    hue = np.linspace(-np.pi, np.pi, _HUES + 1)
    cusp = np.interp(hue, *_cusps(), period=2 * np.pi).astype(np.float32)[:, None]
    steps = np.linspace(0, 2, 2 * _COLUMNS + 1, dtype=np.float32)
    lightness = np.where(steps <= 1, steps * cusp, 100 - (2 - steps) * (100 - cusp))
    a, b = np.cos(hue)[:, None].astype(np.float32), np.sin(hue)[:, None].astype(np.float32)
    chroma, step = np.zeros_like(lightness), np.float32(_LARGEST_CHROMA)
    for _ in range(_BISECTIONS):
        step /= 2
        larger = chroma + step
        chroma = np.where(_is_inside(lightness, a * larger, b * larger, _TABLE_ROUNDING), larger, chroma)
    return _Table(cusp, chroma)


def _cusps() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns hue and L of the colors with one channel of 0 and one of 1: the most colorful ones of their hues."""
    up, zero, one = np.linspace(0, 1, _RAMP), np.zeros(_RAMP), np.ones(_RAMP)
    edges = [(one, up, zero), (up, one, zero), (zero, one, up), (zero, up, one), (up, zero, one), (one, zero, up)]
    lab = conversion.rgb_to_lab(np.concatenate([np.stack(edge, axis=-1) for edge in edges]))
    return np.arctan2(lab[:, 2], lab[:, 1]), lab[:, 0].astype(np.float64)
