"""Fully connected autoencoder with a narrow code: the classic first attempt, on images of one fixed size.

Every output pixel has to come out of a handful of numbers, so it blurs (after Hinton and Salakhutdinov 2006,
doi:10.1126/science.1127647).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers

from colorize_core.models import encoders
from colorize_core.models.blocks import Head, normalize


def build(
    *,
    head: Head,
    encoder: str | None = None,
    side: int,
    bottleneck: int,
    widths: Sequence[int] = (),
    activation: Literal["relu", "silu", "gelu"] = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> keras.Model:
    """Gray or L [n, side, side, 1] -> colors [n, side, side, 2 or 3].

    Args:
        head: the last layers, which know the color space.
        encoder: of keras.applications in place of the layers before the code, down to 1/32 of the resolution, or to the
            last level of which ``side`` is a multiple; see ``encoders``.
        side: of the images, in pixels.
        bottleneck: numbers in the code.
        widths: of the hidden layers before the code; those after it mirror them.
        activation: of the hidden layers.
        batch_norm: after each hidden layer.
        dropout: fraction of the code dropped in training.
    """

    def hidden(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
        x = layers.Dense(width, use_bias=not batch_norm, kernel_initializer="he_normal")(x)
        return layers.Activation(activation)(normalize(x) if batch_norm else x)

    gray = keras.Input((side, side, 1), name="gray")
    if encoder:
        halvings = (side & -side).bit_length() - 1
        x = layers.Flatten()(encoders.deepest(gray, encoder, min(halvings, encoders.LEVELS), head.color_space))
    else:
        x = layers.Flatten()(gray)
        for width in widths:
            x = hidden(x, width)
    x = layers.Dense(bottleneck, name="code")(x)  # linear: a ReLU that dies is a number less
    if dropout:
        x = layers.Dropout(dropout)(x)
    for width in reversed(widths):
        x = hidden(x, width)
    return keras.Model(gray, head.of_vector(x, side), name="dense")
