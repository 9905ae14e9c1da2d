"""A gray photograph and a model bundle to ab, and ab with the photograph's own lightness to color."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_core import color
from colorize_core.bundle import Bundle
from colorize_core.color import Floats
from colorize_core.images import resizing
from colorize_core.inference.merging import merge
from colorize_core.networks import Engine, open_network
from colorize_core.preprocessing import pairs
from colorize_core.preprocessing.network_size import inner_part, margins_of, network_size

_MAX_ASPECT = 3  # beyond it the short side would have too few pixels to show anything


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
                margins = margins_of(self.recipe, wide, high)
                outputs = self._ab(np.pad(shown, ((0, 0), *margins), "symmetric"))
                for index, ab in zip(part, outputs, strict=True):
                    results[index] = self._saturation * inner_part(ab, margins, wide, high)
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
        [ab] = self.predict([resizing.resize(gray, self.size_for(gray.shape[1], gray.shape[0]))])
        return Image.fromarray(merge(pixels, ab))
