"""Color: conversions between sRGB, CIE Lab and gray, joining lightness with chroma, and colorfulness."""

from colorize_core.color.colorfulness import colorfulness
from colorize_core.color.conversion import (
    AB_SCALE,
    CHANNELS,
    ColorSpace,
    Floats,
    GrayFormula,
    Halves,
    gray,
    lab_to_rgb,
    lightness,
    linear_to_srgb,
    rgb_lightness,
    rgb_to_lab,
    srgb_to_linear,
)
from colorize_core.color.joining import join

__all__ = [
    "AB_SCALE",
    "CHANNELS",
    "ColorSpace",
    "Floats",
    "GrayFormula",
    "Halves",
    "colorfulness",
    "gray",
    "join",
    "lab_to_rgb",
    "lightness",
    "linear_to_srgb",
    "rgb_lightness",
    "rgb_to_lab",
    "srgb_to_linear",
]
