"""Images with rows that are computed on access, so that a large scan is never in memory as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

BAND_PIXELS = 1 << 21  # computed at a time: a large scan takes the memory of 2 Mpixel of floats
IN_MEMORY_PIXELS = 1 << 25  # files of larger images are written in bands, and to the disk


class LazyImage:
    """An image [H, W, channels] that computes rows when it is sliced like an array: ``image[top:bottom]``.

    Args:
        shape: (H, W, channels).
        dtype: NumPy dtype of the pixels.
        compute: called with ``top`` and ``bottom``; returns pixels [bottom - top, W, channels].

    Example:
        >>> black = LazyImage((4, 3, 3), np.uint8, lambda top, bottom: np.zeros((bottom - top, 3, 3), np.uint8))
        >>> black[1:3].shape, to_array(black).shape
        ((2, 3, 3), (4, 3, 3))
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        dtype: type[np.unsignedinteger[Any]],
        compute: Callable[[int, int], NDArray[Any]],
    ) -> None:
        self.shape, self.dtype, self._compute = shape, np.dtype(dtype), compute

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        top, bottom, _ = rows.indices(self.shape[0])
        return self._compute(top, bottom)


def bands(image: LazyImage | NDArray[Any], pixels: int | None = None) -> Iterator[slice]:
    """Yields slices of rows, from top to bottom, that have about ``pixels`` pixels each (default ``BAND_PIXELS``)."""
    height, width = image.shape[:2]
    step = max(1, (pixels or BAND_PIXELS) // width)
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


def is_large(image: LazyImage | NDArray[Any]) -> bool:
    """Returns True if the image has more than ``IN_MEMORY_PIXELS``."""
    height, width = image.shape[:2]
    return bool(height * width > IN_MEMORY_PIXELS)


def to_array(image: LazyImage | NDArray[Any]) -> NDArray[Any]:
    """Returns all pixels of an image; an array is returned unchanged."""
    if not isinstance(image, LazyImage):
        return image
    pixels = np.empty(image.shape, image.dtype)
    for band in bands(image):
        pixels[band] = image[band]
    return pixels
