"""Convolutional autoencoder with a dense code: the whole image becomes one vector, which a decoder turns into colors.

(After the convolutional autoencoders of Masci et al. 2011, doi:10.1007/978-3-642-21735-7_7.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import keras
from keras import layers

from colorize_core.models import conv_layers, encoders, sizes
from colorize_core.models.blocks import Head


def build(
    *,
    head: Head,
    encoder: str | None = None,
    side: int,
    widths: Sequence[int],
    code: int,
    batch_norm: bool = True,
    dropout: float = 0.0,
) -> keras.Model:
    """Builds the model: gray or L [n, side, side, 1] -> colors [n, side, side, 2 or 3].

    Args:
        head: the last layers, which know the color space.
        encoder: name of an encoder in place of the model's own, with as many levels as there are widths; see
            ``encoders``.
        side: side of the images in pixels; a multiple of 2 ** len(widths).
        widths: channels of the encoder's levels, each at half the resolution of the one before.
        code: length of the code.
        batch_norm: apply batch norm after each convolution.
        dropout: fraction of channels dropped after each level in training.
    """
    small = side >> len(widths)
    if small << len(widths) != side:
        raise ValueError(f"side ({side}) is not a multiple of {1 << len(widths)}, as {len(widths)} widths need")

    gray = keras.Input((side, side, 1), name="gray")
    own_encoder = partial(conv_layers.encode, widths=widths, down="stride", batch_norm=batch_norm, dropout=dropout)
    x = encoders.deepest_map(gray, encoder, len(widths), head.color_space, own_encoder)
    x = layers.Flatten()(x)  # [n, small * small * c]
    x = layers.Dense(code, name="code")(x)
    x = layers.Dense(small * small * widths[-1], activation="relu", kernel_initializer="he_normal")(x)
    x = layers.Reshape((small, small, widths[-1]))(x)
    x = conv_layers.decode(x, widths=widths, up="transpose-stride", batch_norm=batch_norm, dropout=dropout)
    return keras.Model(gray, head.of_map(x), name="conv_dense")


def estimate_weights(settings: Mapping[str, Any], *, has_encoder: bool) -> int:
    """Estimates the number of weights within about a factor of two, without those of another encoder."""
    widths, side = sizes.whole_numbers(settings, "widths"), sizes.whole_number(settings, "side")
    small = side >> len(widths)
    channels = sizes.ENCODER_CHANNELS if has_encoder else [1, *widths][-1]
    dense = 2 * small**2 * sizes.whole_number(settings, "code") * channels
    return sizes.autoencoder_weights(widths) + dense
