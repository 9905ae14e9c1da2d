"""Packs a trained Keras model: the weights as a bundle stores them, and the same network as an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from colorize_core import models
from colorize_core.bundle import onnx_weights, weights_file
from colorize_core.errors import ColorizeError
from colorize_core.networks import conversion
from colorize_core.recipes import Recipe

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class NetworkPackage:
    """A network as the content of files.

    Attributes:
        weights: content of ``weights.safetensors``.
        onnx: a whole ONNX file; b'' if the network could not be converted.
        converted: facts on the conversion (``Bundle.converted``).
        failure: why the network could not be converted; '' if it could.
    """

    weights: bytes = field(repr=False)
    onnx: bytes = field(repr=False)
    converted: Mapping[str, Any]
    failure: str = ""


def pack(model: keras.Model, recipe: Recipe) -> NetworkPackage:
    """Packs a model that was built from a recipe. Its weights are rounded to those that the package stores.

    A network that cannot be converted to ONNX is packed too: Keras runs it.
    """
    weights = weights_file.pack(model)
    arrays = weights_file.unpack(weights)

    def with_stored_weights(onnx: bytes) -> bytes:
        return onnx_weights.join(onnx_weights.separate(onnx, arrays), arrays)

    try:
        onnx, comparison = conversion.to_onnx(models.inference_model(model), recipe, with_stored_weights)
    except ColorizeError as error:
        return NetworkPackage(weights, b"", {}, str(error))
    return NetworkPackage(weights, onnx, comparison.facts())
