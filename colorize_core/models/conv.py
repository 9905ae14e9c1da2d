"""Convolutional autoencoder without skip connections: everything passes through the narrowest level.

(Masci et al. 2011, doi:10.1007/978-3-642-21735-7_7.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers

from colorize_core.models import encoders
from colorize_core.models.blocks import Head, activate


def build(
    *,
    head: Head,
    encoder: str | None = None,
    widths: Sequence[int],
    down: Literal["pool", "stride"] = "pool",
    up: Literal["upsample", "transpose-upsample", "transpose-stride"] = "upsample",
    batch_norm: bool = True,
    dropout: float = 0.0,
) -> keras.Model:
    """Builds the model: gray or L [n, h, w, 1] -> colors [n, h, w, 2 or 3].

    h and w are multiples of 2 ** len(widths).

    Args:
        head: the last layers, which know the color space.
        encoder: name of an encoder in place of the model's own, with as many levels as there are widths; see
            ``encoders``.
        widths: channels of the encoder's levels, each at half the resolution of the one before; the decoder mirrors
            them.
        down: halve by max-pooling after each convolution, or by its stride.
        up: double by repeating pixels after a convolution or after a transposed convolution, or by the stride of a
            transposed convolution.
        batch_norm: apply batch norm after each convolution.
        dropout: fraction of channels dropped after each level in training.
    """

    def own_encoder(x: keras.KerasTensor) -> keras.KerasTensor:
        for width in widths:
            x = _convolution(width, strides=2 if down == "stride" else 1, bias=not batch_norm)(x)
            x = activate(x, batch_norm=batch_norm, dropout=dropout)
            if down == "pool":
                x = layers.MaxPooling2D()(x)
        return x

    gray = keras.Input((None, None, 1), name="gray")
    x = encoders.deepest_map(gray, encoder, len(widths), head.color_space, own_encoder)
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
    return keras.Model(gray, head.of_map(x), name="conv")


def _convolution(width: int, *, strides: int, bias: bool) -> layers.Layer:
    return layers.Conv2D(width, 3, strides, padding="same", use_bias=bias, kernel_initializer="he_normal")
