"""The discriminator and the losses of adversarial (GAN) training.

The discriminator learns to tell true colors from predicted ones, patch by patch; the colorizer learns to mislead it
(the PatchGAN and its conditional loss: Isola et al. 2017, arXiv:1611.07004).
"""

from __future__ import annotations

import keras
from keras import layers, ops

_WIDTHS = (64, 128, 256)
LEARNING_RATE, BETA_1 = 2e-4, 0.5  # settings of the discriminator's Adam, as in the paper


def discriminator(channels: int) -> keras.Model:
    """Builds the discriminator: [gray [n, h, w, 1], colors [n, h, w, channels]] -> logits [n, h/8, w/8, 1].

    A logit is above 0 where colors look true. Each logit sees 22 x 22 pixels. The network has no batch norm: true and
    colorized images come in separate batches, which batch norm would tell apart by their statistics.
    """
    gray = keras.Input((None, None, 1), name="gray")
    colors = keras.Input((None, None, channels), name="colors")
    x = layers.Concatenate()([gray, colors])
    for width in _WIDTHS:
        x = layers.Conv2D(width, 4, 2, padding="same", kernel_initializer="he_normal")(x)
        x = layers.LeakyReLU(0.2)(x)
    logits = layers.Conv2D(1, 1, dtype="float32", name="logits")(x)
    return keras.Model([gray, colors], logits, name="discriminator")


def discriminator_loss(true: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the mean of -log p(true) and -log(1 - p(predicted)) over the patches, halved as in the paper.

    Args:
        true: logits for true colors; p = sigmoid(logit).
        predicted: logits for predicted colors.
    """
    return (ops.mean(ops.softplus(-true)) + ops.mean(ops.softplus(predicted))) / 2


def generator_loss(predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the mean of -log p(predicted), which is small where predicted colors pass for true ones."""
    return ops.mean(ops.softplus(-predicted))
