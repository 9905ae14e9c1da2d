"""Layers that all models share: batch norm, activation, and the head that predicts colors."""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers, ops

from colorize_core.color import AB_SCALE, ColorSpace, Floats
from colorize_core.models import classes
from colorize_core.models.odds import ColorOdds

# Batch norm uses the statistics of the global batch, over all workers. Keras supports that with TensorFlow only.
SYNCHRONIZED = keras.backend.backend() == "tensorflow"
MOMENTUM = 0.95  # momentum of batch norm: with Keras' 0.99 the initial statistics last for hundreds of steps
_FEATURES = 8  # features per pixel, between a vector and the class logits


def normalize(x: keras.KerasTensor, name: str | None = None) -> keras.KerasTensor:
    """Applies batch norm to a tensor. ``name`` is the layer's name."""
    return layers.BatchNormalization(momentum=MOMENTUM, synchronized=SYNCHRONIZED, name=name)(x)


def activate(
    x: keras.KerasTensor, *, batch_norm: bool, dropout: float = 0.0, name: str | None = None
) -> keras.KerasTensor:
    """Applies batch norm if asked for, ReLU, and dropout of whole channels. ``name`` is the name of the batch norm."""
    if batch_norm:
        x = normalize(x, name)
    x = layers.ReLU()(x)
    return layers.SpatialDropout2D(dropout)(x) if dropout else x


def annealed_mean(logits: keras.KerasTensor, bins: Floats, temperature: float) -> keras.KerasTensor:
    """Converts class logits [n, h, w, Q] to ab / 128 [n, h, w, 2], both float32.

    The result is the mean of the bins under softmax(logits / temperature). At 1 that is the mean of the classes, which
    is dull; near 0 it is the likeliest bin, which flickers from pixel to pixel (Zhang et al. 2016,
    arXiv:1603.08511, section 2.3).
    """
    return ops.matmul(ops.softmax(logits * (1 / temperature), axis=-1), bins / AB_SCALE)


@dataclass(frozen=True)
class Head:
    """The last layers of every model, in float32. Their output is RGB in [0, 1], or ab / 128 in [-1, 1].

    Attributes:
        color_space: ``rgb`` or ``lab``.
        ab_step: step of the grid of classes, in units of ab: the layer ``logits`` [n, h, w, Q] predicts classes, and ab
            is their annealed mean. None to predict ab or RGB directly.
        temperature: temperature of the annealed mean.
        class_step: step of the grid of the class head, a second head beside the colors (``odds_of_map``); None for a
            model with one head.
    """

    color_space: ColorSpace
    ab_step: float | None = None
    temperature: float = 0.38
    class_step: float | None = None

    def of_map(self, x: keras.KerasTensor, *, kernel_size: int = 3, from_gray: bool = False) -> keras.KerasTensor:
        """Returns colors [n, h, w, 2 or 3] from features [n, h, w, c].

        Args:
            x: the features.
            kernel_size: size of the convolution's kernel; for classes it is always 1x1.
            from_gray: initialize the layer with zeros. In Lab, training then starts at the gray copy and not at random
                colors far from it, and ab needs no activation. Classes start with equal odds.
        """
        initializer = "zeros" if from_gray else "glorot_uniform"
        if self.ab_step is not None:
            bins = classes.ab_bins(self.ab_step)
            logits = layers.Conv2D(len(bins), 1, kernel_initializer=initializer, dtype="float32", name="logits")(x)
            return annealed_mean(logits, bins, self.temperature)
        channels, activation = self._direct_output()
        if from_gray and self.color_space == "lab":
            activation = None
        return layers.Conv2D(
            channels,
            kernel_size,
            padding="same",
            activation=activation,
            kernel_initializer=initializer,
            dtype="float32",
            name="colors",
        )(x)

    def odds_of_map(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the output of the class head for features [n, h, w, c]: [n, h, w, 5] as from ``odds.ColorOdds``."""
        step = self.class_step or classes.STEP
        logits = layers.Conv2D(
            len(classes.ab_bins(step)), 1, kernel_initializer="zeros", dtype="float32", name="logits"
        )(x)
        return ColorOdds(step, name="odds")(logits)

    def of_vector(self, x: keras.KerasTensor, side: int) -> keras.KerasTensor:
        """Returns colors [n, side, side, 2 or 3] from a vector [n, c]."""
        if self.ab_step is not None:  # a dense layer to Q logits per pixel would hold most of the weights
            x = layers.Dense(side * side * _FEATURES, activation="relu", kernel_initializer="he_normal")(x)
            return self.of_map(layers.Reshape((side, side, _FEATURES))(x))
        channels, activation = self._direct_output()
        x = layers.Dense(side * side * channels, activation=activation, dtype="float32")(x)
        return layers.Reshape((side, side, channels), dtype="float32")(x)

    def _direct_output(self) -> tuple[int, str | None]:
        """Returns channels and activation of a layer that predicts colors directly."""
        return (3, "sigmoid") if self.color_space == "rgb" else (2, "tanh")
