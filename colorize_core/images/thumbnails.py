"""Thumbnails of a photograph before and after it was colorized."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_core.images import resizing

_SIDE = 192  # pixels of the long side, at most
_QUALITY = 75  # JPEG quality


@dataclass(frozen=True)
class Thumbnails:
    """Two thumbnails of one photograph, sRGB uint8 [h, w, 3].

    Attributes:
        before: the photograph.
        after: the colorized photograph.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]

    def files(self) -> tuple[bytes, bytes]:
        """Returns both thumbnails as JPEG files: before, after."""
        return _jpeg(self.before), _jpeg(self.after)


def thumbnail(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Returns sRGB uint8 [h, w, 3] with no side over 192 pixels, for uint8 or uint16, [H, W] or [H, W, 3].

    Example:
        >>> thumbnail(np.zeros((400, 800), np.uint16)).shape
        (96, 192, 3)
    """
    # Halving by the mean of four pixels takes a tenth of the time; a last odd row or column is left out.
    while min(pixels.shape[:2]) >= 2 * _SIDE:
        height, width = (side // 2 for side in pixels.shape[:2])
        pixels = resizing.resize(pixels[: 2 * height, : 2 * width], (width, height))
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    reduced = resizing.resize(pixels, (max(1, round(width * scale)), max(1, round(height * scale))))
    if reduced.dtype == np.uint16:
        reduced = (reduced >> 8).astype(np.uint8)
    return reduced if reduced.ndim == 3 else np.stack([reduced] * 3, axis=-1)


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
