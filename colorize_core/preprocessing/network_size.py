"""The size at which a network sees a photograph, and the mirrored margins of a very long one."""

from __future__ import annotations

import cv2

from colorize_core.color import Floats
from colorize_core.recipes import Recipe

_MAX_ASPECT = 3  # beyond it the short side would have too few pixels to show anything


def network_size(recipe: Recipe, width: int, height: int) -> tuple[int, int]:
    """(width, height) at which the network sees a photograph: its shape, about ``data.inference_side`` squared pixels.

    Both are multiples of ``model.multiple``, so the shape changes by some per cent, which training has taught to
    ignore. A network of fixed size sees it squeezed into its square.

    A photograph more than three times as wide as high, or as high as wide, is a strip of a picture of 3:1, the rest of
    which is its mirror image. Alone, in one row of the network's deepest map, it would get the colors of edges.
    """
    wide, high = _grid(recipe, min(max(width / height, 1 / _MAX_ASPECT), _MAX_ASPECT))
    if width > _MAX_ASPECT * height and not recipe.model.square:
        return wide, max(1, round(_MAX_ASPECT * high * height / width))
    if height > _MAX_ASPECT * width and not recipe.model.square:
        return max(1, round(_MAX_ASPECT * wide * width / height)), high
    return wide, high


def _grid(recipe: Recipe, aspect: float) -> tuple[int, int]:
    side, multiple = recipe.data.inference_side, recipe.model.multiple
    if recipe.model.square:
        return side, side
    steps = side / multiple
    wide, high = round(steps * aspect**0.5), round(steps / aspect**0.5)
    return max(1, wide) * multiple, max(1, high) * multiple


def margins_of(recipe: Recipe, width: int, height: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows above and below, columns left and right, that make the picture of 3:1 of a strip; else none."""
    (long, low), (narrow, tall) = _grid(recipe, _MAX_ASPECT), _grid(recipe, 1 / _MAX_ASPECT)
    rows = max(0, low - height) if width == long else 0
    columns = max(0, narrow - width) if height == tall else 0
    return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)


def inner_part(ab: Floats, margins: tuple[tuple[int, int], tuple[int, int]], width: int, height: int) -> Floats:
    """The part of a picture's ab, of whatever resolution, that belongs to the strip in it, at the strip's size."""
    if margins == ((0, 0), (0, 0)):
        return ab
    (above, below), (left, right) = margins
    size = width + left + right, height + above + below
    whole: Floats = cv2.resize(ab, size, interpolation=cv2.INTER_LINEAR)
    part: Floats = whole[above : above + height, left : left + width]
    return part
