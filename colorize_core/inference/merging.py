"""Joins predicted ab, resized to the photograph, with the photograph's own lightness."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import sparse

from colorize_core import color
from colorize_core.color import Floats
from colorize_core.images.lazy_image import LazyImage, whole


def merge(pixels: NDArray[Any], ab: Floats, dtype: type[np.uint8 | np.uint16] = np.uint8) -> NDArray[Any]:
    """``merged`` at once."""
    return whole(merged(pixels, ab, dtype))


def merged(pixels: NDArray[Any], ab: Floats, dtype: type[np.uint8 | np.uint16] = np.uint8) -> LazyImage:
    """sRGB [H, W, 3] of a photograph's own lightness and predicted chroma.

    Args:
        pixels: uint8 or uint16, [H, W], or [H, W, 3], of which only the lightness is used.
        ab: [h, w, 2] of any resolution; resized bicubically.
        dtype: of the result.
    """
    height, width = pixels.shape[:2]
    planes = [Image.fromarray(np.ascontiguousarray(ab[..., i])) for i in (0, 1)]
    wide = np.stack(
        [np.asarray(plane.resize((width, ab.shape[0]), Image.Resampling.BICUBIC)) for plane in planes], axis=-1
    )
    to_rows = _rows(ab.shape[0], height)

    def compute(top: int, bottom: int) -> NDArray[Any]:
        chroma = (to_rows[top:bottom] @ wide.reshape(len(wide), -1)).reshape(bottom - top, width, 2)
        band = pixels[top:bottom]
        lightness = color.rgb_lightness(band) if band.ndim == 3 else color.lightness(band)
        return color.join(lightness, chroma, dtype)

    return LazyImage((height, width, 3), dtype, compute)


@lru_cache(maxsize=64)  # photographs of an archive have few sizes
def _rows(count: int, height: int) -> sparse.csr_array:
    """[height, count]: what of ``count`` rows makes each of ``height``, bicubically.

    A sparse product sums each row in the same order wherever a band begins, so that bands change no bit of it.
    """
    weights = Image.fromarray(np.eye(count, dtype=np.float32)).resize((count, height), Image.Resampling.BICUBIC)
    return sparse.csr_array(np.asarray(weights))
