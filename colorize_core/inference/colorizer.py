"""Predicts ab for gray photographs with a model bundle, and colorizes single photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_core import color
from colorize_core.bundle import FAITHFUL, Bundle
from colorize_core.color import Floats
from colorize_core.images import resizing
from colorize_core.inference.merging import merge
from colorize_core.inference.prediction import Prediction
from colorize_core.networks import Engine, open_network
from colorize_core.preprocessing import pairs
from colorize_core.preprocessing.network_size import inner_part, margins_of, network_size


class PredictedColors(NamedTuple):
    """The colors of a photograph.

    Attributes:
        ab: float32 [h, w, 2] in units of ab, at the network's resolution.
        doubt: the error of faithful colors to expect (``metrics.rmse_ab``), in units of ab; None if the bundle has no
            scale of doubt.
    """

    ab: Floats
    doubt: float | None


class Colorizer:
    """An opened network that predicts colors. Opening takes half a second, ten with TensorFlow, so reuse the object.

    Args:
        bundle: a bundle from ``load_bundle``.
        threads: CPU threads for the network; None is one per CPU.
        saturation: ``faithful``, ``vivid``, or a factor of the faithful ab.
        engine: name of the engine that runs the network; ``auto`` chooses with ``networks.engine_for``.
        gpu: whether this process has a GPU.

    Raises:
        BundleError: the bundle has no such saturation, or the engine cannot run its network, or the network is damaged.

    Example:
        >>> from colorize_core import load_bundle
        >>> colorizer = Colorizer(load_bundle("default"))
        >>> colorizer.colorize(np.zeros((60, 90), np.uint8)).size
        (90, 60)
    """

    def __init__(
        self,
        bundle: Bundle,
        threads: int | None = None,
        saturation: str | float = FAITHFUL,
        engine: Engine = "auto",
        *,
        gpu: bool = False,
    ) -> None:
        self._coloring, self._doubt = bundle.coloring(saturation), bundle.doubt
        self._network = open_network(bundle, engine, threads=threads, gpu=gpu)
        self.recipe = bundle.recipe
        self._is_coarse = bundle.recipe.model.class_head  # colors at a quarter of the input's resolution

    def size_for(self, width: int, height: int) -> tuple[int, int]:
        """Returns the (width, height) to which a photograph of this size must be resized for ``predict``."""
        return network_size(self.recipe, width, height)

    def predict(self, grays: Sequence[NDArray[np.uint8]]) -> list[Floats]:
        """Returns ab [h', w', 2] for each gray photograph, uint8 [h, w] with the size from ``size_for``."""
        return [each.ab for each in self.predict_with_doubt(grays)]

    def predict_with_doubt(self, grays: Sequence[NDArray[np.uint8]]) -> list[PredictedColors]:
        """Returns ab and doubt of each gray photograph, as ``predict`` takes them."""
        predictions = self.predict_all(grays)
        return [PredictedColors(each.ab(self._coloring), each.doubt(self._doubt)) for each in predictions]

    def predict_all(self, grays: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Returns the prediction for each gray photograph, from which ab of any saturation can be taken.

        Photographs of equal size go through the network together.
        """
        results = [Prediction(np.empty(0, np.float32))] * len(grays)
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, gray in enumerate(grays):
            groups.setdefault(gray.shape, []).append(index)
        for indices in groups.values():
            for start in range(0, len(indices), self._network.batch):
                batch = indices[start : start + self._network.batch]
                inputs = np.stack([grays[i] for i in batch])
                height, width = inputs.shape[1:]
                margins = margins_of(self.recipe, width, height)
                predictions = self._predict(np.pad(inputs, ((0, 0), *margins), "symmetric"))
                for index, channels in zip(batch, predictions, strict=True):
                    lightness = color.lightness(grays[index]) if self._is_coarse else None
                    results[index] = Prediction(inner_part(channels, margins, width, height), lightness)
        return results

    def _predict(self, grays: NDArray[np.uint8]) -> Floats:
        """Returns ``Prediction.channels`` [n, h', w', c] for gray uint8 [n, h, w] of a size that the network accepts.

        If the recipe asks for it, the result is the average with the prediction for the mirrored image (flip TTA).
        """
        color_space = self.recipe.data.color_space
        inputs = pairs.to_input(grays, color_space)
        prediction = pairs.to_ab(self._network(inputs), color_space)
        if self.recipe.data.mirrored:
            mirrored = pairs.to_ab(self._network(inputs[:, :, ::-1]), color_space)
            prediction = np.float32(0.5) * (prediction + mirrored[:, :, ::-1])
        return prediction

    def colorize(self, pixels: NDArray[Any]) -> Image.Image:
        """Returns one photograph in color at full resolution.

        Args:
            pixels: uint8 or uint16 [H, W], or uint8 [H, W, 3]. The colors are ignored.
        """
        gray = pixels if pixels.ndim == 2 else np.rint(255 * color.gray(pixels, self.recipe.data.gray)).astype(np.uint8)
        if gray.dtype == np.uint16:
            gray = (gray >> 8).astype(np.uint8)
        [ab] = self.predict([resizing.resize(gray, self.size_for(gray.shape[1], gray.shape[0]))])
        return Image.fromarray(merge(pixels, ab))
