"""The convolutional encoder and decoder that the models ``conv`` and ``conv_dense`` share.

Each level is a 3x3 convolution, batch norm if asked for, and ReLU; it halves or doubles the resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers

from colorize_core.models.blocks import activate

Down = Literal["pool", "stride"]
Up = Literal["upsample", "transpose-upsample", "transpose-stride"]


def encode(
    x: keras.KerasTensor, *, widths: Sequence[int], down: Down, batch_norm: bool, dropout: float
) -> keras.KerasTensor:
    """Returns features [n, h / 2**levels, w / 2**levels, widths[-1]] of images [n, h, w, c].

    Args:
        x: the images.
        widths: channels of each level.
        down: halve by max-pooling after each convolution, or by its stride.
        batch_norm: apply batch norm after each convolution.
        dropout: fraction of channels dropped after each level in training.
    """
    for width in widths:
        x = _convolution(width, strides=2 if down == "stride" else 1, bias=not batch_norm)(x)
        x = activate(x, batch_norm=batch_norm, dropout=dropout)
        if down == "pool":
            x = layers.MaxPooling2D()(x)
    return x


def decode(
    x: keras.KerasTensor, *, widths: Sequence[int], up: Up, batch_norm: bool, dropout: float
) -> keras.KerasTensor:
    """Returns features [n, h * 2**levels, w * 2**levels, widths[0]] of features [n, h, w, c]: mirrors ``encode``.

    Args:
        x: the features.
        widths: channels of the encoder's levels; the decoder takes them from last to first.
        up: double by repeating pixels after a convolution or after a transposed convolution, or by the stride of a
            transposed convolution.
        batch_norm: apply batch norm after each convolution.
        dropout: fraction of channels dropped after each level in training.
    """
    for width in reversed(widths):
        if up == "upsample":
            x = _convolution(width, strides=1, bias=not batch_norm)(x)
        else:
            strides = 2 if up == "transpose-stride" else 1
            x = layers.Conv2DTranspose(
                width, 3, strides, padding="same", use_bias=not batch_norm, kernel_initializer="he_normal"
            )(x)
        x = activate(x, batch_norm=batch_norm, dropout=dropout)
        if up != "transpose-stride":
            x = layers.UpSampling2D()(x)
    return x


def _convolution(width: int, *, strides: int, bias: bool) -> layers.Layer:
    return layers.Conv2D(width, 3, strides, padding="same", use_bias=bias, kernel_initializer="he_normal")
