"""A gray photograph and a model bundle to ab, and ab with the photograph's own lightness to color."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import sparse

from colorize_core import color
from colorize_core.bundle import Bundle
from colorize_core.color import Floats
from colorize_core.images import square
from colorize_core.images.rows import Rows, whole
from colorize_core.networks import Engine, open_network
from colorize_core.recipes import Recipe
from colorize_core.training import pairs

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


def _margins(recipe: Recipe, width: int, height: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows above and below, columns left and right, that make the picture of 3:1 of a strip; else none."""
    (long, low), (narrow, tall) = _grid(recipe, _MAX_ASPECT), _grid(recipe, 1 / _MAX_ASPECT)
    rows = max(0, low - height) if width == long else 0
    columns = max(0, narrow - width) if height == tall else 0
    return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)


def _inner(ab: Floats, margins: tuple[tuple[int, int], tuple[int, int]], width: int, height: int) -> Floats:
    """The part of a picture's ab, of whatever resolution, that belongs to the strip in it, at the strip's size."""
    if margins == ((0, 0), (0, 0)):
        return ab
    (above, below), (left, right) = margins
    size = width + left + right, height + above + below
    whole: Floats = cv2.resize(ab, size, interpolation=cv2.INTER_LINEAR)
    part: Floats = whole[above : above + height, left : left + width]
    return part


def merge(pixels: NDArray[Any], ab: Floats, dtype: type[np.uint8 | np.uint16] = np.uint8) -> NDArray[Any]:
    """``merged`` at once."""
    return whole(merged(pixels, ab, dtype))


def merged(pixels: NDArray[Any], ab: Floats, dtype: type[np.uint8 | np.uint16] = np.uint8) -> Rows:
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

    return Rows((height, width, 3), dtype, compute)


@lru_cache(maxsize=64)  # photographs of an archive have few sizes
def _rows(count: int, height: int) -> sparse.csr_array:
    """[height, count]: what of ``count`` rows makes each of ``height``, bicubically.

    A sparse product sums each row in the same order wherever a band begins, so that bands change no bit of it.
    """
    weights = Image.fromarray(np.eye(count, dtype=np.float32)).resize((count, height), Image.Resampling.BICUBIC)
    return sparse.csr_array(np.asarray(weights))


class Colorizer:
    """A network that is ready to colorize. Opening one takes half a second, with TensorFlow ten: keep it.

    Args:
        bundle: from ``load_bundle``.
        threads: CPU threads for the network; None for one per CPU.
        saturation: gain of ab, as from ``bundle.saturation``; 1 is what the network predicts.
        engine: what runs the network; ``auto`` takes ``networks.engine_for``.
        gpu: this process was granted a GPU.

    Raises:
        BundleError: the engine cannot run the bundle's network, or it is damaged.
    """

    def __init__(
        self,
        bundle: Bundle,
        threads: int | None = None,
        saturation: float = 1.0,
        engine: Engine = "auto",
        *,
        gpu: bool = False,
    ) -> None:
        self._network = open_network(bundle, engine, threads=threads, gpu=gpu)
        self.recipe = bundle.recipe
        self._saturation = np.float32(saturation)

    def size_for(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) at which ``predict`` wants a photograph of this size."""
        return network_size(self.recipe, width, height)

    def predict(self, grays: Sequence[NDArray[np.uint8]]) -> list[Floats]:
        """ab [h', w', 2] of each gray uint8 [h, w] that has the size of ``size_for``."""
        results: list[Floats] = [np.empty(0, np.float32)] * len(grays)
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, gray in enumerate(grays):
            groups.setdefault(gray.shape, []).append(index)
        for indices in groups.values():
            for start in range(0, len(indices), self._network.batch):
                part = indices[start : start + self._network.batch]
                shown = np.stack([grays[i] for i in part])
                high, wide = shown.shape[1:]
                margins = _margins(self.recipe, wide, high)
                outputs = self._ab(np.pad(shown, ((0, 0), *margins), "symmetric"))
                for index, ab in zip(part, outputs, strict=True):
                    results[index] = self._saturation * _inner(ab, margins, wide, high)
        return results

    def _ab(self, grays: NDArray[np.uint8]) -> Floats:
        """ab [n, h', w', 2] of gray uint8 [n, h, w], of sides that the network takes."""
        color_space = self.recipe.data.color_space
        inputs = pairs.to_input(grays, color_space)
        said = pairs.to_ab(self._network(inputs), color_space)
        if self.recipe.data.mirrored:
            other = pairs.to_ab(self._network(inputs[:, :, ::-1]), color_space)
            said = np.float32(0.5) * (said + other[:, :, ::-1])
        return said

    def colorize(self, pixels: NDArray[Any]) -> Image.Image:
        """One photograph at its full resolution: uint8 or uint16 [H, W], or uint8 [H, W, 3] whose color is ignored."""
        gray = pixels if pixels.ndim == 2 else np.rint(255 * color.gray(pixels, self.recipe.data.gray)).astype(np.uint8)
        if gray.dtype == np.uint16:
            gray = (gray >> 8).astype(np.uint8)
        [ab] = self.predict([square.resize(gray, self.size_for(gray.shape[1], gray.shape[0]))])
        return Image.fromarray(merge(pixels, ab))
