"""A small look at a photograph before and after."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_core.images import resizing

_SIDE = 192  # pixels that the long side may take
_QUALITY = 75


@dataclass(frozen=True)
class Thumbnails:
    """Before and after, sRGB uint8 [h, w, 3], each from ``small``."""

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]

    def files(self) -> tuple[bytes, bytes]:
        """Both as JPEG files."""
        return _jpeg(self.before), _jpeg(self.after)


def small(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """At most 192 pixels a side, sRGB uint8 [h, w, 3], of uint8 or uint16, [H, W] or [H, W, 3]."""
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
