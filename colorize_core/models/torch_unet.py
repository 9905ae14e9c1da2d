"""Copies weights that were trained in PyTorch into a ``unet`` with an EfficientNet-Lite encoder.

The names are those of a PyTorch module with the same layers: the encoder as in its port
(``_blocks.0._depthwise_conv``), ``bottom``, ``scene1`` and ``scene2`` (features of the whole image), then ``skips``,
``narrow`` and ``dec`` by level, and the heads ``colors`` and ``logits``. A convolution with batch norm has the parts
``c`` and ``b``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import keras
from numpy.typing import NDArray

from colorize_core.models import efficientnet_lite

_HEADS = ("colors", "logits")


def copy_weights(model: keras.Model, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Copies all weights. Constants of the layer ``odds`` stay as they are.

    Args:
        model: from ``models.build("unet", ...)`` with an encoder of ``efficientnet_lite``.
        tensors: float arrays by name; convolutions are [out, in, h, w].

    Raises:
        ValueError: a tensor is missing, has another shape than its layer, or belongs to no layer.
    """
    names = [*efficientnet_lite.tensor_names(model.get_layer("encoder")), *_tensor_names(model)]
    try:
        efficientnet_lite.copy_tensors(names, tensors)
    except KeyError as error:
        raise ValueError(f"there is no tensor {error.args[0]}") from error
    if unused := sorted(set(tensors).difference(*(needed for _, needed in names))):
        raise ValueError(f"the model has no layer for {', '.join(unused[:3])}")


def _tensor_names(model: keras.Model) -> Iterator[tuple[keras.Layer, list[str]]]:
    """Yields each layer with weights outside the encoder, and the names of its tensors."""
    for ours, theirs in (("whole_image", "scene1"), ("whole_image_bias", "scene2"), *zip(_HEADS, _HEADS, strict=True)):
        yield model.get_layer(ours), [f"{theirs}.weight", f"{theirs}.bias"]
    names = {layer.name for layer in model.layers}
    normalized = {"bottom": "bottom"}
    for level in itertools.takewhile(lambda level: f"narrow{level}" in names, itertools.count()):
        yield model.get_layer(f"narrow{level}"), [f"narrow.{level}.weight"]
        normalized |= {f"skip{level}": f"skips.{level}", f"decode{level}": f"dec.{level}"}
    for ours, theirs in normalized.items():
        if ours in names:  # a narrow map of the encoder is used as it is
            yield model.get_layer(ours), [f"{theirs}.c.weight"]
            yield model.get_layer(f"{ours}_norm"), [f"{theirs}.b.{part}" for part in efficientnet_lite.NORM_PARTS]
