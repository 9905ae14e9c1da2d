"""Joins a photograph's own lightness at full resolution with the predicted chroma, and encodes the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core.color import Floats
from colorize_core.images import color_management, thumbnails
from colorize_core.images.decode import Photograph
from colorize_core.images.encode import Encoded, Encoding, encode
from colorize_core.images.lazy_image import LazyImage, is_large, to_array
from colorize_core.images.metadata.provenance import Provenance, marked
from colorize_core.images.thumbnails import Thumbnails
from colorize_core.inference.merging import merge, merge_lazily


@dataclass(frozen=True)
class Colorized(Encoded):
    """A colorized image file, its size in pixels, and its thumbnails before and after."""

    thumbnails: Thumbnails


def colorize(photograph: Photograph, ab: Floats | None, encoding: Encoding, provenance: Provenance) -> Colorized:
    """Joins a photograph with predicted ab and encodes the result; alpha and metadata are kept.

    To bound memory, a caller should hold neither the photograph's file nor another photograph.

    Args:
        photograph: uint8 or uint16; read as stored if it keeps its own colors.
        ab: float32 [h, w, 2] of any resolution; None if the photograph keeps its own colors.
        encoding: encoding of the result.
        provenance: source and model, for the XMP packet that marks the result.

    Raises:
        ImageError: the format cannot hold an image of this size, or the disk is full.
    """
    cv2.setNumThreads(1)  # a task has one CPU; the others belong to its neighbors
    size, alpha, metadata = photograph.size, photograph.alpha, photograph.metadata
    dtype, before = encoding.dtype(photograph.depth), thumbnails.thumbnail(photograph.pixels)
    # Conversion to another profile would lose dark tones in 8 bits, so it starts from 16.
    icc = metadata.icc if metadata.icc and not color_management.is_srgb(metadata.icc) else None
    pixels: LazyImage | NDArray[Any]
    if ab is None:
        pixels = _with_own_colors(photograph.pixels, dtype)
        after = before = (color_management.to_srgb(before, icc) >> 8).astype(np.uint8) if icc else before
    else:
        merged = merge_lazily(photograph.pixels, ab, np.uint16 if icc else dtype)
        if icc or is_large(merged):
            pixels, after = _in_profile(merged, icc, dtype) if icc else merged, merge(before, ab)
        else:  # formats that do not write bands need all pixels at once, too
            pixels = to_array(merged)
            after = thumbnails.thumbnail(pixels)
    xmp = marked(provenance, metadata.xmp, kept=ab is None)
    if not encoding.holds(xmp):
        xmp = marked(provenance, kept=ab is None)
    content = encode(pixels, encoding, alpha=alpha, metadata=metadata, xmp=xmp)
    return Colorized(content, *size, Thumbnails(before, after))


def _in_profile(pixels: LazyImage, icc: bytes, dtype: type[np.uint8 | np.uint16]) -> LazyImage:
    return LazyImage(
        pixels.shape, dtype, lambda top, bottom: color_management.from_srgb(pixels[top:bottom], icc, dtype)
    )


def _with_own_colors(pixels: NDArray[Any], dtype: type[np.uint8 | np.uint16]) -> LazyImage:
    def compute(top: int, bottom: int) -> NDArray[Any]:
        band = pixels[top:bottom]
        rgb = band if band.ndim == 3 else np.stack([band] * 3, axis=-1)
        if rgb.dtype == dtype:
            return rgb
        return np.rint(rgb / 257).astype(np.uint8) if dtype == np.uint8 else rgb.astype(np.uint16) * 257

    return LazyImage((*pixels.shape[:2], 3), dtype, compute)
