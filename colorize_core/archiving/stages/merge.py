"""The photograph's own lightness at full resolution, joined with the predicted chroma, as an image file."""

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
from colorize_core.images.lazy_image import LazyImage
from colorize_core.images.metadata.provenance import Provenance, marked
from colorize_core.images.thumbnails import Thumbnails
from colorize_core.inference.merging import merge, merge_lazily


@dataclass(frozen=True)
class Colorized(Encoded):
    """The same, and what it looks like."""

    thumbnails: Thumbnails


def colorize(photograph: Photograph, ab: Floats | None, how: Encoding, provenance: Provenance) -> Colorized:
    """Joins a photograph with ab [h, w, 2] and encodes it; alpha and metadata are kept.

    Args:
        photograph: the only one in memory, with its file let go, where it is large.
        ab: of the network; None where the photograph, read as stored, keeps its own colors.
        how: to encode it.
        provenance: for the mark in it.

    Raises:
        ImageError: the format cannot hold the pixels.
    """
    cv2.setNumThreads(1)  # a task has one CPU; the others belong to its neighbors
    size, alpha, metadata = photograph.size, photograph.alpha, photograph.metadata
    dtype, before = how.dtype(photograph.depth), thumbnails.thumbnail(photograph.pixels)
    # Through a profile of their own 8 bits would lose dark tones: they are made of 16.
    icc = metadata.icc if metadata.icc and not color_management.is_srgb(metadata.icc) else None
    if ab is None:
        pixels = _as_it_is(photograph.pixels, dtype)
        after = before = (color_management.to_srgb(before, icc) >> 8).astype(np.uint8) if icc else before
    else:
        pixels, after = merge_lazily(photograph.pixels, ab, np.uint16 if icc else dtype), merge(before, ab)
        pixels = _in_profile(pixels, icc, dtype) if icc else pixels
    xmp = marked(provenance, metadata.xmp, kept=ab is None)
    if not how.holds(xmp):
        xmp = marked(provenance, kept=ab is None)
    content = encode(pixels, how, alpha=alpha, metadata=metadata, xmp=xmp)
    return Colorized(content, *size, Thumbnails(before, after))


def _in_profile(pixels: LazyImage, icc: bytes, dtype: type[np.uint8 | np.uint16]) -> LazyImage:
    return LazyImage(
        pixels.shape, dtype, lambda top, bottom: color_management.from_srgb(pixels[top:bottom], icc, dtype)
    )


def _as_it_is(pixels: NDArray[Any], dtype: type[np.uint8 | np.uint16]) -> LazyImage:
    def compute(top: int, bottom: int) -> NDArray[Any]:
        band = pixels[top:bottom]
        rgb = band if band.ndim == 3 else np.stack([band] * 3, axis=-1)
        if rgb.dtype == dtype:
            return rgb
        return np.rint(rgb / 257).astype(np.uint8) if dtype == np.uint8 else rgb.astype(np.uint16) * 257

    return LazyImage((*pixels.shape[:2], 3), dtype, compute)
