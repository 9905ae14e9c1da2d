"""The size at which a network sees a photograph, and the mirrored margins of a very long one."""

from __future__ import annotations

import cv2

from colorize_core.color import Floats
from colorize_core.recipes import Recipe

_MAX_ASPECT = 3  # beyond it the short side would have too few pixels to show anything


def network_size(recipe: Recipe, width: int, height: int) -> tuple[int, int]:
    """Returns the (width, height) at which the network sees a photograph.

    The size keeps the aspect ratio of the photograph and has about ``data.inference_side`` squared pixels. Both sides
    are multiples of ``model.multiple``, which changes the aspect ratio by some per cent; training makes the network
    robust against that. A network of fixed size sees the photograph squeezed into its square.

    A photograph with sides of more than 3:1 becomes a strip in an image of 3:1; ``margins_of`` says how much of its
    mirror image fills the rest. Alone the strip would have one row in the deepest feature map of the network, and would
    get the colors of edges.

    Example:
        >>> from colorize_core.recipes import load_recipe
        >>> network_size(load_recipe("unet-lab"), 3000, 2000)
        (112, 80)
    """
    wide, high = _grid(recipe, min(max(width / height, 1 / _MAX_ASPECT), _MAX_ASPECT))
    if width > _MAX_ASPECT * height and not recipe.model.square:
        return wide, max(1, round(_MAX_ASPECT * high * height / width))
    if height > _MAX_ASPECT * width and not recipe.model.square:
        return max(1, round(_MAX_ASPECT * wide * width / height)), high
    return wide, high


def _grid(recipe: Recipe, aspect: float) -> tuple[int, int]:
    """Returns a (width, height) in multiples of ``model.multiple`` for an aspect ratio (width / height)."""
    side, multiple = recipe.data.inference_side, recipe.model.multiple
    if recipe.model.square:
        return side, side
    steps = side / multiple
    wide, high = round(steps * aspect**0.5), round(steps / aspect**0.5)
    return max(1, wide) * multiple, max(1, high) * multiple


def margins_of(recipe: Recipe, width: int, height: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns the margins that extend a strip to an image of 3:1: (rows above, below), (columns left, right).

    All are 0 for photographs that are no strips. ``width`` and ``height`` are from ``network_size``.
    """
    (widest, lowest), (narrowest, tallest) = _grid(recipe, _MAX_ASPECT), _grid(recipe, 1 / _MAX_ASPECT)
    rows = max(0, lowest - height) if width == widest else 0
    columns = max(0, narrowest - width) if height == tallest else 0
    return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)


def inner_part(ab: Floats, margins: tuple[tuple[int, int], tuple[int, int]], width: int, height: int) -> Floats:
    """Returns the part of ab, of any resolution, that belongs to the strip inside the margins, at the strip's size.

    Without margins, ab is returned unchanged.
    """
    if margins == ((0, 0), (0, 0)):
        return ab
    (above, below), (left, right) = margins
    size = width + left + right, height + above + below
    resized: Floats = cv2.resize(ab, size, interpolation=cv2.INTER_LINEAR)
    part: Floats = resized[above : above + height, left : left + width]
    return part
