"""rgb -> (input, target) as the network sees them, and back. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.color import ColorSpace, Floats, GrayFormula
from colorize_core.images import resizing

if TYPE_CHECKING:
    pass

AB_SCALE = np.float32(128.0)


def normalize_lightness(lightness: Floats) -> Floats:
    """Network input in [-1, 1] of L in [0, 100]."""
    return lightness / np.float32(50.0) - np.float32(1.0)


def normalize_ab(ab: Floats) -> Floats:
    """Network target, about [-1, 1], of ab."""
    return ab / AB_SCALE


def denormalize_ab(target: Floats) -> Floats:
    """ab of what the network said."""
    return target * AB_SCALE


def to_pair(
    rgb: NDArray[np.uint8],
    formula: GrayFormula,
    color_space: ColorSpace = "lab",
    gray: NDArray[np.uint8] | None = None,
) -> tuple[Floats, Floats]:
    """Input [..., 1] and target [..., 2 or 3] of sRGB [..., 3].

    The input is the *gray* photograph that the formula makes, as an archive would hold it, or ``gray`` [...], where the
    data set has its own. In ``lab`` it is its L in [-1, 1], and the target the ab of the color photograph, about
    [-1, 1]; in ``rgb`` both are sRGB values in [0, 1].
    """
    values = color.gray(rgb, formula) if gray is None else gray
    if color_space == "rgb":
        return to_input(values, color_space), rgb.astype(np.float32) / np.float32(255.0)
    return to_input(values, color_space), normalize_ab(color.rgb_to_lab(rgb)[..., 1:])


def to_input(gray: NDArray[Any], color_space: ColorSpace) -> Floats:
    """What the network sees [..., 1] of gray values [...]: uint8, or float in [0, 1]."""
    if color_space == "lab":
        return normalize_lightness(color.lightness(gray))[..., None]
    values = gray / np.float32(255.0) if gray.dtype == np.uint8 else gray
    return values.astype(np.float32)[..., None]


def to_lightness(inputs: Floats, color_space: ColorSpace) -> Floats:
    """L [...] of what the network sees [..., 1]."""
    if color_space == "lab":
        lightness: Floats = (inputs[..., 0].astype(np.float32) + np.float32(1.0)) * np.float32(50.0)
        return np.clip(lightness, 0, 100)
    return color.lightness(inputs[..., 0])


def to_ab(output: Floats, color_space: ColorSpace) -> Floats:
    """ab [..., 2] of what the network said; of RGB [..., 3] the lightness is left aside."""
    if color_space == "lab":
        return denormalize_ab(output)
    return color.rgb_to_lab(np.clip(output, 0, 1))[..., 1:]


def from_pair(inputs: Floats, targets: Floats, color_space: ColorSpace = "lab") -> NDArray[np.uint8]:
    """sRGB uint8 [..., 3] of an input and a target: the way back from ``to_pair``.

    In ``lab`` it has the lightness of the input. That is the color photograph's own where the formula is ``lightness``;
    of other formulas it differs where the color is strong.
    """
    if color_space == "rgb":
        return np.rint(np.clip(targets, 0, 1) * 255).astype(np.uint8)
    lightness = to_lightness(inputs, color_space)[..., None]
    lab = np.concatenate([lightness, denormalize_ab(targets.astype(np.float32))], axis=-1)
    # Clipped, not fitted as ``color.join`` does: float16 puts colors at the edge of the gamut a trifle outside, and at
    # yellow the nearest that has the very same lightness is far away.
    rgb: NDArray[np.uint8] = np.rint(color.lab_to_rgb(lab) * np.float32(255.0)).astype(np.uint8)
    return rgb


def resize(inputs: Floats, targets: Floats, side: int) -> tuple[Floats, Floats]:
    """Pairs [n, S, S, c] at ``side`` x ``side``."""
    if inputs.shape[1] == side:
        return inputs.astype(np.float32), targets.astype(np.float32)
    both = np.concatenate([inputs, targets], axis=-1, dtype=np.float32)
    out = np.stack([resizing.resize(image, (side, side)) for image in both])
    return out[..., :1], out[..., 1:]
