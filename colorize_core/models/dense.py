"""Fully connected autoencoder with a narrow code: the classic first attempt, on images of one fixed size.

Every output pixel is computed from a handful of numbers, so the output is blurred (after Hinton and Salakhutdinov 2006,
doi:10.1126/science.1127647).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
from keras import layers

from colorize_core.models import encoders, sizes
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
    """Builds the model: gray or L [n, side, side, 1] -> colors [n, side, side, 2 or 3].

    Args:
        head: the last layers, which know the color space.
        encoder: name of an encoder in place of the layers before the code. The encoder goes down to 1/32 of the
            resolution, or to the last level that divides ``side``; see ``encoders``.
        side: side of the images in pixels.
        bottleneck: length of the code.
        widths: widths of the hidden layers before the code; the layers after it mirror them.
        activation: activation function of the hidden layers.
        batch_norm: apply batch norm after each hidden layer.
        dropout: fraction of the code dropped in training.
    """

    def hidden(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
        x = layers.Dense(width, use_bias=not batch_norm, kernel_initializer="he_normal")(x)
        return layers.Activation(activation)(normalize(x) if batch_norm else x)

    gray = keras.Input((side, side, 1), name="gray")
    halvings = (side & -side).bit_length() - 1
    x = encoders.deepest_map(gray, encoder, min(halvings, encoders.LEVELS), head.color_space, lambda pixels: pixels)
    x = layers.Flatten()(x)
    for width in () if encoder else widths:
        x = hidden(x, width)
    x = layers.Dense(bottleneck, name="code")(x)  # linear: a ReLU that is always 0 would waste a number of the code
    if dropout:
        x = layers.Dropout(dropout)(x)
    for width in reversed(widths):
        x = hidden(x, width)
    return keras.Model(gray, head.of_vector(x, side), name="dense")


def estimate_weights(settings: Mapping[str, Any], *, has_encoder: bool) -> int:
    """Estimates the number of weights within about a factor of two, without those of another encoder."""
    widths, side = sizes.whole_numbers(settings, "widths"), sizes.whole_number(settings, "side")
    code = sizes.whole_number(settings, "bottleneck")
    inputs = (side // 32 + 1) ** 2 * sizes.ENCODER_CHANNELS if has_encoder else side * side
    encoder = [inputs, *widths, code]
    decoder = [code, *reversed(widths), 3 * side * side]
    return sizes.chain_weights(encoder) + sizes.chain_weights(decoder)
