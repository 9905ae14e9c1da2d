"""EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946, without squeeze-and-excitation and with ReLU6, for CPUs).

keras.applications does not have it; it is called as they are. The layers are those of the TensorFlow original, so that
its weights and those of its ports fit.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers
from numpy.typing import NDArray

_STEM = 32
# Kernel size, stride, expansion, channels, repeats of each stage: table 1 of the paper.
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
    """What the network expects, about [-1, 1], of values in [0, 255]."""
    return (x - 127.0) / 128.0


def EfficientNetLite0(  # noqa: N802 - named as those of keras.applications are
    *,
    weights: str | None = None,
    include_top: bool = False,
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
) -> keras.Model:
    """[n, h, w, 3] -> features [n, h / 32, w / 32, 320], with random weights.

    Raises ValueError for a top, and for weights by name: nobody publishes them for Keras.
    """
    if weights or include_top:
        raise ValueError(
            "EfficientNetLite0 has neither a top nor weights that Keras could fetch: name a .weights.h5 file"
        )
    inputs = keras.Input(input_shape)
    x = _convolve(inputs, _STEM, 3, strides=2, name="stem")
    block = 0
    for size, stride, expansion, channels, repeats in _STAGES:
        for repeat in range(repeats):
            x = _block(x, size, stride if repeat == 0 else 1, expansion, channels, name=f"block{block}")
            block += 1
    return keras.Model(inputs, x, name="efficientnet_lite0")


def _block(x: keras.KerasTensor, size: int, stride: int, expansion: int, channels: int, name: str) -> keras.KerasTensor:
    """Inverted bottleneck (Sandler et al. 2018, arXiv:1801.04381)."""
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
