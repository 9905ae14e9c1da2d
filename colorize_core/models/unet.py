"""U-Net that predicts ab at half the input's resolution (Ronneberger et al. 2015, arXiv:1505.04597).

Chroma needs less resolution than lightness, so the decoder stops one level early: a quarter of the most expensive
pixels. A global branch at the bottleneck tells every pixel what the whole picture shows (after Iizuka et al. 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers

from colorize_core.color import ColorSpace
from colorize_core.models.blocks import activate, color_layer


def build(
    *,
    color_space: ColorSpace,
    widths: Sequence[int],
    convolutions: Sequence[int],
    first_stride: Literal[1, 2] = 2,
    dropout: float = 0.0,
) -> keras.Model:
    """Gray or L [n, h, w, 1] -> colors [n, h/s, w/s, 2 or 3]; h and w are multiples of s * 2 ** (len(widths) - 1).

    Args:
        color_space: of the output.
        widths: channels at 1/s, 1/2s, 1/4s … of the input's resolution.
        first_stride: s. 1 is for images so small that every pixel has a color of its own.
        convolutions: 3x3 convolutions of each of these encoder levels; decoder levels have one.
        dropout: fraction of bottleneck channels dropped in training.
    """
    gray = keras.Input((None, None, 1), name="lightness")
    x = gray
    skips = []
    for level, (width, count) in enumerate(zip(widths, convolutions, strict=True)):
        x = _convolve(x, width, strides=2 if level else first_stride)
        for _ in range(count - 1):
            x = _convolve(x, width)
        skips.append(x)

    scene = layers.GlobalAveragePooling2D(keepdims=True)(x)  # [n, 1, 1, widths[-1]]
    scene = layers.Conv2D(widths[-1], 1, activation="relu", kernel_initializer="he_normal")(scene)
    x = layers.Add()([x, layers.Conv2D(widths[-1], 1)(scene)])
    if dropout:
        x = layers.SpatialDropout2D(dropout)(x)

    for width, skip in zip(reversed(widths[:-1]), reversed(skips[:-1]), strict=True):
        x = layers.Conv2D(width, 1, use_bias=False)(x)  # narrow before up-sampling: a quarter of the work
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), skip])
        x = _convolve(x, width)
    # Zeros: in Lab training starts at the gray copy, not at random colors far from it; ab needs no activation there.
    channels, activation = (2, None) if color_space == "lab" else color_layer(color_space)
    colors = layers.Conv2D(channels, 1, activation=activation, kernel_initializer="zeros", dtype="float32", name="ab")(
        x
    )
    return keras.Model(gray, colors, name="unet")


def _convolve(x: keras.KerasTensor, width: int, strides: int = 1) -> keras.KerasTensor:
    x = layers.Conv2D(width, 3, strides, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    return activate(x, batch_norm=True)
