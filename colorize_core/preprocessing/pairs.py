"""Converts sRGB to pairs of network input and target, and network output back to ab and sRGB, by pure functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.color import AB_SCALE, ColorSpace, Floats, GrayFormula, Halves
from colorize_core.images import resizing


def normalize_lightness(lightness: Floats) -> Floats:
    """Returns the network input in [-1, 1] for L in [0, 100]."""
    return lightness / np.float32(50.0) - np.float32(1.0)


def normalize_ab(ab: Floats) -> Floats:
    """Returns the network target, about [-1, 1], for ab."""
    return ab / AB_SCALE


def denormalize_ab(target: Floats) -> Floats:
    """Returns ab for the output of the network, about [-1, 1]."""
    return target * AB_SCALE


def to_pair(
    rgb: NDArray[np.uint8],
    formula: GrayFormula,
    color_space: ColorSpace = "lab",
    gray: NDArray[np.uint8] | None = None,
) -> tuple[Floats, Floats]:
    """Returns network input float32 [..., 1] and target float32 [..., 2 or 3] for sRGB uint8 [..., 3].

    Args:
        rgb: the color photographs.
        formula: makes the gray photographs, as an archive would hold them.
        color_space: with ``lab`` the input is the L of the gray photograph in [-1, 1], and the target is the ab of the
            color photograph, about [-1, 1]; with ``rgb`` both are sRGB values in [0, 1].
        gray: uint8 [...], replaces the formula if the data set has gray photographs of its own.

    Example:
        >>> inputs, targets = to_pair(np.full((2, 8, 8, 3), 255, np.uint8), "luminance")
        >>> inputs.shape, targets.shape, float(inputs.max())
        ((2, 8, 8, 1), (2, 8, 8, 2), 1.0)
    """
    values = color.gray(rgb, formula) if gray is None else gray
    if color_space == "rgb":
        return to_input(values, color_space), rgb.astype(np.float32) / np.float32(255.0)
    return to_input(values, color_space), normalize_ab(color.rgb_to_lab(rgb)[..., 1:])


def to_input(gray: NDArray[Any], color_space: ColorSpace) -> Floats:
    """Returns the network input float32 [..., 1] for gray values [...]: uint8, or float in [0, 1]."""
    if color_space == "lab":
        return normalize_lightness(color.lightness(gray))[..., None]
    values = gray / np.float32(255.0) if gray.dtype == np.uint8 else gray
    return values.astype(np.float32)[..., None]


def to_lightness(inputs: Floats, color_space: ColorSpace) -> Floats:
    """Returns L [...] in [0, 100] for network input [..., 1]."""
    if color_space == "lab":
        lightness: Floats = (inputs[..., 0].astype(np.float32) + np.float32(1.0)) * np.float32(50.0)
        return np.clip(lightness, 0, 100)
    return color.lightness(inputs[..., 0])


def to_ab(output: Floats, color_space: ColorSpace) -> Floats:
    """Returns ab [..., 2] for network output: ab [..., 2], or RGB [..., 3]. The lightness of RGB is ignored."""
    if color_space == "lab":
        return denormalize_ab(output)
    return color.rgb_to_lab(np.clip(output, 0, 1))[..., 1:]


def from_pair(inputs: Floats, targets: Floats, color_space: ColorSpace = "lab") -> NDArray[np.uint8]:
    """Returns sRGB uint8 [..., 3] for input and target: the inverse of ``to_pair``.

    In ``lab`` the result has the lightness of the input. With the gray formula ``lightness`` that equals the lightness
    of the color photograph; with other formulas it differs for strong colors.
    """
    if color_space == "rgb":
        return np.rint(np.clip(targets, 0, 1) * 255).astype(np.uint8)
    lightness = to_lightness(inputs, color_space)[..., None]
    lab = np.concatenate([lightness, denormalize_ab(targets.astype(np.float32))], axis=-1)
    # Clipped, not fitted to the gamut as in ``color.join``: float16 moves colors at the edge of the gamut slightly
    # outside, and near yellow the nearest color inside with exactly the same lightness is far away.
    rgb: NDArray[np.uint8] = np.rint(color.lab_to_rgb(lab) * np.float32(255.0)).astype(np.uint8)
    return rgb


def resize_pairs(inputs: Floats | Halves, targets: Floats | Halves, side: int) -> tuple[Floats, Floats]:
    """Returns inputs and targets [n, S, S, c] as float32, resized to ``side`` x ``side`` pixels."""
    if inputs.shape[1] == side:
        return inputs.astype(np.float32), targets.astype(np.float32)
    both = np.concatenate([inputs, targets], axis=-1, dtype=np.float32)
    out = np.stack([resizing.resize(image, (side, side)) for image in both])
    return out[..., :1], out[..., 1:]
