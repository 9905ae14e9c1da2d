"""Images of any size to squares of one size. Pure functions."""

from __future__ import annotations

from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

Crop = Literal["center", "pad", "none"]
CROPS: tuple[Crop, ...] = get_args(Crop)


def to_square(image: NDArray[Any], size: int, crop: Crop) -> NDArray[Any]:
    """The image [H, W] or [H, W, c] at ``size`` x ``size``.

    Args:
        image: uint8 or float32, no side 0.
        size: pixels on a side.
        crop: ``center`` keeps the central square, ``pad`` the whole image in the middle of black bars, ``none`` the
            whole image, squeezed.
    """
    height, width = image.shape[:2]
    if crop == "center":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return resize(image[top : top + side, left : left + side], (size, size))
    if crop == "none":
        return resize(image, (size, size))
    scale = size / max(height, width)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    padded = np.zeros((size, size, *image.shape[2:]), image.dtype)
    top, left = (size - inner[1]) // 2, (size - inner[0]) // 2
    padded[top : top + inner[1], left : left + inner[0]] = resize(image, inner)
    return padded


def resize(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """The image at (width, height): each pixel the mean of the area it covers when that shrinks it, else bicubic."""
    if image.shape[:2] == size[::-1]:
        return image
    shrinks = image.shape[1] >= size[0] and image.shape[0] >= size[1]
    filter_ = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized: NDArray[Any] = cv2.resize(image, size, interpolation=filter_)
    return resized
