"""Copies weights that were trained in PyTorch into a ``unet`` with an EfficientNet-Lite encoder.

The names are those of a PyTorch module with the same layers: the encoder as in its port
(``_blocks.0._depthwise_conv``), ``bottom``, ``scene1`` and ``scene2`` (features of the whole image), then ``skips``,
``narrow`` and ``dec`` by level, and the heads ``colors`` and ``logits``. A convolution with batch norm has the parts
``c`` and ``b``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from colorize_core.models import efficientnet_lite

_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def copy_weights(model: keras.Model, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Copies all weights. Constants of the layer ``odds`` stay as they are.

    Args:
        model: from ``models.build("unet", ...)`` with an encoder of ``efficientnet_lite``.
        tensors: float arrays by name; convolutions are [out, in, h, w].

    Raises:
        ValueError: a tensor is missing, has another shape than its layer, or belongs to no layer.
    """
    used = {name for name in tensors if name.startswith(("_blocks.", "_conv_stem.", "_bn0."))}
    try:
        efficientnet_lite.copy_weights(model.get_layer("encoder"), tensors)
        for layer, names in _layers(model):
            values = [np.asarray(tensors[name], np.float32) for name in names]
            layer.set_weights([value.transpose(2, 3, 1, 0) if value.ndim == 4 else value for value in values])
            used.update(names)
    except KeyError as error:
        raise ValueError(f"there is no tensor {error.args[0]}") from error
    if unused := sorted(set(tensors) - used):
        raise ValueError(f"the model has no layer for {', '.join(unused[:3])}")


def _layers(model: keras.Model) -> Iterator[tuple[keras.Layer, list[str]]]:
    """Yields each layer with weights outside the encoder, and the names of its tensors."""
    names = {"whole_image": "scene1", "whole_image_bias": "scene2", "colors": "colors", "logits": "logits"}
    for layer in model.layers:
        convolution = layer.name.removesuffix("_norm")
        level = convolution.strip("abcdefghijklmnopqrstuvwxyz_")
        kind = convolution.removesuffix(level)
        if layer.name in names:
            yield layer, [f"{names[layer.name]}.weight", f"{names[layer.name]}.bias"]
        elif kind == "narrow":
            yield layer, [f"narrow.{level}.weight"]
        elif kind in ("bottom", "skip", "decode"):
            theirs = {"bottom": "bottom", "skip": f"skips.{level}", "decode": f"dec.{level}"}[kind]
            is_norm = layer.name != convolution
            yield layer, [f"{theirs}.b.{part}" for part in _NORM_PARTS] if is_norm else [f"{theirs}.c.weight"]
