"""A second network that learns to tell true colors from ours, patch by patch; ours learns to mislead it.

(Isola et al. 2017, arXiv:1611.07004: the PatchGAN and its conditional loss.)
"""

from __future__ import annotations

import keras
from keras import layers, ops

_WIDTHS = (64, 128, 256)
LEARNING_RATE, BETA_1 = 2e-4, 0.5  # of the discriminator, as in the paper


def discriminator(channels: int) -> keras.Model:
    """[gray [n, h, w, 1], colors [n, h, w, channels]] -> logits [n, h/8, w/8, 1]: above 0 where colors look true.

    Each logit judges 22 x 22 pixels. No batch norm: true and colorized images come in batches of their own, and it
    would tell them apart by their statistics.
    """
    gray = keras.Input((None, None, 1), name="gray")
    colors = keras.Input((None, None, channels), name="colors")
    x = layers.Concatenate()([gray, colors])
    for width in _WIDTHS:
        x = layers.Conv2D(width, 4, 2, padding="same", kernel_initializer="he_normal")(x)
        x = layers.LeakyReLU(0.2)(x)
    logits = layers.Conv2D(1, 1, dtype="float32", name="logits")(x)
    return keras.Model([gray, colors], logits, name="discriminator")


def discriminator_loss(true: keras.KerasTensor, made: keras.KerasTensor) -> keras.KerasTensor:
    """Mean of -log p(true) and -log(1 - p(made)) over the patches, p = sigmoid(logit), halved as in the paper."""
    return (ops.mean(ops.softplus(-true)) + ops.mean(ops.softplus(made))) / 2


def generator_loss(made: keras.KerasTensor) -> keras.KerasTensor:
    """Mean of -log p(made): what our colors lack to pass for true ones."""
    return ops.mean(ops.softplus(-made))
