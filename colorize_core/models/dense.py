"""Fully connected autoencoder with a narrow code: the classic first attempt, on images of one fixed size.

Every output pixel has to come out of a handful of numbers, so it blurs (after Hinton and Salakhutdinov 2006,
doi:10.1126/science.1127647).
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from colorize_core.color import ColorSpace
from colorize_core.models.blocks import color_layer


def build(
    *, color_space: ColorSpace, side: int, bottleneck: int, widths: Sequence[int] = (), dropout: float = 0.0
) -> keras.Model:
    """Gray or L [n, side, side, 1] -> colors [n, side, side, 2 or 3].

    Args:
        color_space: of the output.
        side: of the images, in pixels.
        bottleneck: numbers in the code.
        widths: of the hidden layers before the code; those after it mirror them.
        dropout: fraction of the code dropped in training.
    """
    gray = keras.Input((side, side, 1), name="gray")
    x = layers.Flatten()(gray)
    for width in widths:
        x = layers.Dense(width, activation="relu", kernel_initializer="he_normal")(x)
    x = layers.Dense(bottleneck, name="code")(x)  # linear: a ReLU that dies is a number less
    if dropout:
        x = layers.Dropout(dropout)(x)
    for width in reversed(widths):
        x = layers.Dense(width, activation="relu", kernel_initializer="he_normal")(x)
    channels, activation = color_layer(color_space)
    x = layers.Dense(side * side * channels, activation=activation, dtype="float32")(x)
    return keras.Model(gray, layers.Reshape((side, side, channels), dtype="float32")(x), name="dense")
