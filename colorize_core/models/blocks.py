"""What the models share."""

from __future__ import annotations

import keras
from keras import layers

from colorize_core.color import ColorSpace


def color_layer(color_space: ColorSpace) -> tuple[int, str]:
    """Channels and activation of the last layer: RGB in [0, 1], or ab / 128 in [-1, 1]."""
    return (3, "sigmoid") if color_space == "rgb" else (2, "tanh")


def activate(x: keras.KerasTensor, *, batch_norm: bool, dropout: float = 0.0) -> keras.KerasTensor:
    """Batch norm, ReLU and dropout of whole channels, as asked for."""
    if batch_norm:
        # Synchronized: on several workers the statistics are those of the global batch, as on one.
        x = layers.BatchNormalization(momentum=0.95, synchronized=True)(x)
    x = layers.ReLU()(x)
    return layers.SpatialDropout2D(dropout)(x) if dropout else x
