"""A gray photograph and a model bundle to ab, and ab with the photograph's own lightness to color."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_core import color
from colorize_core.bundle import Bundle
from colorize_core.color import Floats
from colorize_core.images import square
from colorize_core.recipes import Recipe
from colorize_core.training import pairs

_MAX_ASPECT = 10.0  # beyond it the short side would have too few pixels to show anything
_BAND_PIXELS = 1 << 21  # joined at a time: bounds the memory of a large scan to 2 Mpixel of floats
_BATCH = 32


def network_size(recipe: Recipe, width: int, height: int) -> tuple[int, int]:
    """(width, height) at which the network sees a photograph: its shape, about ``data.inference_side`` squared pixels.

    Both are multiples of ``model.multiple``, so the shape changes by some per cent, which training has taught to
    ignore. A network of fixed size sees it squeezed into its square.
    """
    side, multiple = recipe.data.inference_side, recipe.model.multiple
    if recipe.model.square:
        return side, side
    aspect = min(max(width / height, 1 / _MAX_ASPECT), _MAX_ASPECT)
    steps = side / multiple
    wide, high = round(steps * aspect**0.5), round(steps / aspect**0.5)
    return max(1, wide) * multiple, max(1, high) * multiple


def merge(pixels: NDArray[Any], ab: Floats) -> Image.Image:
    """RGB image of a photograph's own lightness and predicted chroma.

    Args:
        pixels: uint8 or uint16 [H, W], or uint8 [H, W, 3], of which only the lightness is used.
        ab: [h, w, 2] of any resolution; resized bicubically, band by band, so that memory does not grow with H.
    """
    height, width = pixels.shape[:2]
    planes = [Image.fromarray(np.ascontiguousarray(ab[..., i])) for i in (0, 1)]
    out = Image.new("RGB", (width, height))
    rows = max(1, _BAND_PIXELS // width)
    scale = ab.shape[0] / height
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        box = (0, top * scale, ab.shape[1], min(bottom * scale, ab.shape[0]))
        resized = [plane.resize((width, bottom - top), Image.Resampling.BICUBIC, box) for plane in planes]
        chroma = np.stack([np.asarray(plane) for plane in resized], axis=-1)
        band = pixels[top:bottom]
        lightness = color.rgb_lightness(band) if band.ndim == 3 else color.lightness(band)
        out.paste(Image.fromarray(color.join(lightness, chroma)), (0, top))
    return out


class Colorizer:
    """A loaded model. Building one imports TensorFlow and takes seconds; keep it.

    Args:
        bundle: from ``load_bundle``.
        threads: of the processor, for the network; None for as many as it has.
        saturation: gain of ab, as from ``bundle.saturation``; 1 is what the network said.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None, saturation: float = 1.0) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        import tensorflow as tf

        if threads and not tf.config.threading.get_intra_op_parallelism_threads():
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        model = bundle.model()
        self._recipe = bundle.recipe
        self._saturation = np.float32(saturation)
        # Twice as fast as Model.predict at such batches, which copies and calls back around each.
        self._network = tf.function(
            lambda x: model(x, training=False),
            input_signature=[tf.TensorSpec((None, None, None, 1), tf.float32)],
            autograph=False,  # there is no Python control flow to convert, and it warns about lambdas
        )

    def size_for(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) at which ``predict`` wants a photograph of this size."""
        return network_size(self._recipe, width, height)

    def predict(self, grays: Sequence[NDArray[np.uint8]]) -> list[Floats]:
        """ab [h', w', 2] of each gray uint8 [h, w] that has the size of ``size_for``."""
        results: list[Floats] = [np.empty(0, np.float32)] * len(grays)
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, gray in enumerate(grays):
            groups.setdefault(gray.shape, []).append(index)
        for indices in groups.values():
            for start in range(0, len(indices), _BATCH):
                part = indices[start : start + _BATCH]
                inputs = pairs.to_input(np.stack([grays[i] for i in part]), self._recipe.data.color_space)
                outputs = pairs.to_ab(self._network(inputs).numpy(), self._recipe.data.color_space)
                for index, ab in zip(part, outputs, strict=True):
                    results[index] = self._saturation * ab
        return results

    def colorize(self, pixels: NDArray[Any]) -> Image.Image:
        """One photograph at its full resolution: uint8 or uint16 [H, W], or uint8 [H, W, 3] whose color is ignored."""
        gray = (
            pixels if pixels.ndim == 2 else np.rint(255 * color.gray(pixels, self._recipe.data.gray)).astype(np.uint8)
        )
        if gray.dtype == np.uint16:
            gray = (gray >> 8).astype(np.uint8)
        [ab] = self.predict([square.resize(gray, self.size_for(gray.shape[1], gray.shape[0]))])
        return merge(pixels, ab)
