"""U-Net that predicts colors at half the input's resolution (Ronneberger et al. 2015, arXiv:1505.04597).

Chroma needs less resolution than lightness, so the decoder stops one level early, which saves the most expensive
layers. A global branch at the bottleneck gives every pixel features of the whole image (after Iizuka et al. 2016).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
from keras import layers

from colorize_core.models import encoders, sizes
from colorize_core.models.blocks import Head, activate

_MAX_CONVOLUTIONS = 256


def build(
    *,
    head: Head,
    encoder: str | None = None,
    widths: Sequence[int],
    convolutions: Sequence[int],
    first_stride: Literal[1, 2] = 2,
    batch_norm: bool = True,
    dropout: float = 0.0,
) -> keras.Model:
    """Builds the model: gray or L [n, h, w, 1] -> colors [n, h/s, w/s, 2 or 3].

    With a class head it has two outputs: [n, h/2s, w/2s, 5] as from ``odds.ColorOdds``, and the colors.

    h and w are multiples of s * 2 ** (len(widths) - 1).

    Args:
        head: the last layers, which know the color space.
        encoder: name of an encoder in place of the model's own, with as many levels as there are widths. The widths are
            then those of the decoder, ``convolutions`` is ignored, and ``first_stride`` must be 2; see ``encoders``.
        widths: channels at 1/s, 1/2s, 1/4s … of the input's resolution.
        convolutions: number of 3x3 convolutions in each encoder level; decoder levels have one.
        first_stride: s. Use 1 for very small images, in which every pixel has a color of its own.
        batch_norm: apply batch norm after each convolution.
        dropout: fraction of bottleneck channels dropped in training.
    """
    if len(widths) != len(convolutions):
        raise ValueError(f"there are {len(widths)} widths and {len(convolutions)} convolutions: each level needs both")
    if sum(convolutions) > _MAX_CONVOLUTIONS:
        raise ValueError(f"convolutions add up to {sum(convolutions)}: at most {_MAX_CONVOLUTIONS} are allowed")

    def convolve(x: keras.KerasTensor, width: int, name: str, *, strides: int = 1, size: int = 3) -> keras.KerasTensor:
        x = layers.Conv2D(
            width, size, strides, padding="same", use_bias=not batch_norm, kernel_initializer="he_normal", name=name
        )(x)
        return activate(x, batch_norm=batch_norm, name=f"{name}_norm")

    gray = keras.Input((None, None, 1), name="lightness")
    skips: list[Any] = []
    if encoder:
        if first_stride != 2:
            raise ValueError(f"first_stride is {first_stride}: with an encoder it must be 2")
        skips = encoders.encode(gray, encoder, len(widths), head.color_space)
        if skips[0] is None:
            skips[0] = convolve(gray, widths[0], "first", strides=2)
        x = convolve(skips[-1], widths[-1], "bottom", size=1)
    else:
        x = gray
        for level, (width, count) in enumerate(zip(widths, convolutions, strict=True)):
            x = convolve(x, width, f"encode{level}_0", strides=2 if level else first_stride)
            for i in range(1, count):
                x = convolve(x, width, f"encode{level}_{i}")
            skips.append(x)

    whole_image = layers.GlobalAveragePooling2D(keepdims=True)(x)  # [n, 1, 1, widths[-1]]
    whole_image = layers.Conv2D(widths[-1], 1, activation="relu", kernel_initializer="he_normal", name="whole_image")(
        whole_image
    )
    x = layers.Add()([x, layers.Conv2D(widths[-1], 1, name="whole_image_bias")(whole_image)])
    if dropout:
        x = layers.SpatialDropout2D(dropout)(x)

    if head.class_step and len(widths) < 2:
        raise ValueError("widths has one level: a class head needs 2 or more")
    for level in reversed(range(len(widths) - 1)):
        half = x  # after the loop: at half the resolution of the colors
        width, skip = widths[level], skips[level]
        if encoder and skip.shape[-1] > width:  # maps of inverted bottlenecks have hundreds of channels
            skip = convolve(skip, width, f"skip{level}", size=1)
        # Before up-sampling, at a quarter of the cost.
        x = layers.Conv2D(width, 1, use_bias=False, name=f"narrow{level}")(x)
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), skip])
        x = convolve(x, width, f"decode{level}")
    colors = head.of_map(x, kernel_size=1, from_gray=True)
    return keras.Model(gray, [head.odds_of_map(half), colors] if head.class_step else colors, name="unet")


def estimate_weights(settings: Mapping[str, Any], *, has_encoder: bool) -> int:
    """Estimates the number of weights within about a factor of two, without those of another encoder."""
    widths, counts = (sizes.whole_numbers(settings, name) for name in ("widths", "convolutions"))
    repeated = 9 * sum((count - 1) * width**2 for count, width in zip(counts, widths, strict=False) if count)
    return sizes.autoencoder_weights(widths) + repeated
