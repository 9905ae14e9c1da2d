"""Resizes images, also to squares, with pure functions."""

from __future__ import annotations

from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

Crop = Literal["center", "pad", "none"]
CROPS: tuple[Crop, ...] = get_args(Crop)


def to_square(image: NDArray[Any], size: int, crop: Crop) -> NDArray[Any]:
    """Returns the image [H, W] or [H, W, c], resized to ``size`` x ``size`` pixels.

    Args:
        image: uint8 or float32, without a side of 0.
        size: pixels on a side.
        crop: ``center`` keeps the central square; ``pad`` keeps the whole image, between black bars; ``none`` keeps the
            whole image and changes its aspect ratio.

    Example:
        >>> to_square(np.zeros((20, 30, 3), np.uint8), 8, "center").shape
        (8, 8, 3)
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
    """Returns the image, resized to ``size`` (width, height): by the mean of areas if it shrinks, else bicubically."""
    if image.shape[:2] == size[::-1]:
        return image
    shrinks = image.shape[1] >= size[0] and image.shape[0] >= size[1]
    filter_ = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized: NDArray[Any] = cv2.resize(image, size, interpolation=filter_)
    return resized
