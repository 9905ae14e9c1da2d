"""Joins the lightness of a photograph with predicted ab, resized to the photograph."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import sparse

from colorize_core import color
from colorize_core.color import Floats
from colorize_core.images.lazy_image import LazyImage, to_array


def merge(pixels: NDArray[Any], ab: Floats, dtype: type[np.uint8 | np.uint16] = np.uint8) -> NDArray[Any]:
    """Joins lightness and ab as ``merge_lazily`` does, and returns all pixels as an array.

    Example:
        >>> merge(np.full((40, 60), 128, np.uint8), np.zeros((4, 6, 2), np.float32))[0, 0].tolist()
        [128, 128, 128]
    """
    return to_array(merge_lazily(pixels, ab, dtype))


def merge_lazily(pixels: NDArray[Any], ab: Floats, dtype: type[np.uint8 | np.uint16] = np.uint8) -> LazyImage:
    """Returns sRGB [H, W, 3] with the lightness of a photograph and predicted ab, computed in bands on access.

    Args:
        pixels: uint8 or uint16, [H, W] or [H, W, 3]. Only the lightness is used.
        ab: float32 [h, w, 2] of any resolution, resized bicubically.
        dtype: NumPy dtype of the result.
    """
    height, width = pixels.shape[:2]
    planes = [Image.fromarray(np.ascontiguousarray(ab[..., i])) for i in (0, 1)]
    widened = np.stack(
        [np.asarray(plane.resize((width, ab.shape[0]), Image.Resampling.BICUBIC)) for plane in planes], axis=-1
    )
    row_weights = _row_weights(ab.shape[0], height)

    def compute(top: int, bottom: int) -> NDArray[Any]:
        chroma = (row_weights[top:bottom] @ widened.reshape(len(widened), -1)).reshape(bottom - top, width, 2)
        band = pixels[top:bottom]
        lightness = color.rgb_lightness(band) if band.ndim == 3 else color.lightness(band)
        return color.join(lightness, chroma, dtype)

    return LazyImage((height, width, 3), dtype, compute)


@lru_cache(maxsize=64)  # the photographs of an archive have few sizes
def _row_weights(count: int, height: int) -> sparse.csr_array:
    """Returns the matrix [height, count] that resizes ``count`` rows to ``height`` rows bicubically.

    A sparse product sums each row in the same order, wherever a band begins, so that bands give exactly the same bits.
    """
    weights = Image.fromarray(np.eye(count, dtype=np.float32)).resize((count, height), Image.Resampling.BICUBIC)
    return sparse.csr_array(np.asarray(weights))
