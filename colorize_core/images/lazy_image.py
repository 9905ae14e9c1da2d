"""Images whose rows are computed when they are asked for: of a large scan never all are in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

BAND_PIXELS = 1 << 21  # computed at a time: bounds the memory of a large scan to 2 Mpixel of floats
IN_MEMORY_PIXELS = 1 << 25  # files of larger images are written in bands, and to the disk


class LazyImage:
    """An image of which slices of rows can be had, as of an array.

    Args:
        shape: (H, W, channels).
        dtype: of the pixels.
        compute: pixels [bottom - top, W, channels] of the rows from ``top`` to ``bottom``.
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
    """Rows of an image that are to be computed together, from top to bottom: ``BAND_PIXELS``, unless given."""
    height, width = image.shape[:2]
    step = max(1, (pixels or BAND_PIXELS) // width)
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


def is_large(image: LazyImage | NDArray[Any]) -> bool:
    """Returns True if the image has more than ``IN_MEMORY_PIXELS``."""
    height, width = image.shape[:2]
    return bool(height * width > IN_MEMORY_PIXELS)


def whole(image: LazyImage | NDArray[Any]) -> NDArray[Any]:
    """All pixels."""
    if not isinstance(image, LazyImage):
        return image
    pixels = np.empty(image.shape, image.dtype)
    for band in bands(image):
        pixels[band] = image[band]
    return pixels
