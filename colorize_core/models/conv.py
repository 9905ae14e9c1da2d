"""Convolutional autoencoder without skip connections: everything passes through the narrowest level.

(Masci et al. 2011, doi:10.1007/978-3-642-21735-7_7.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import keras

from colorize_core.models import conv_layers, encoders, sizes
from colorize_core.models.blocks import Head


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
    gray = keras.Input((None, None, 1), name="gray")
    own_encoder = partial(conv_layers.encode, widths=widths, down=down, batch_norm=batch_norm, dropout=dropout)
    x = encoders.deepest_map(gray, encoder, len(widths), head.color_space, own_encoder)
    x = conv_layers.decode(x, widths=widths, up=up, batch_norm=batch_norm, dropout=dropout)
    return keras.Model(gray, head.of_map(x), name="conv")


def estimate_weights(settings: Mapping[str, Any], *, has_encoder: bool) -> int:
    """Estimates the number of weights within about a factor of two, without those of another encoder."""
    return sizes.autoencoder_weights(sizes.whole_numbers(settings, "widths"))
