"""What the models share."""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers, ops

from colorize_core.color import ColorSpace, Floats
from colorize_core.models import classes

# On several workers the statistics are those of the global batch, as on one. Keras has it for TensorFlow alone.
SYNCHRONIZED = keras.backend.backend() == "tensorflow"
MOMENTUM = 0.95  # of batch norm: Keras' 0.99 takes hundreds of steps to forget where it began
_FEATURES = 8  # per pixel, where a vector becomes an image of classes
_AB_SCALE = 128.0  # as in pairs.normalize_ab


def normalize(x: keras.KerasTensor) -> keras.KerasTensor:
    """Batch norm."""
    return layers.BatchNormalization(momentum=MOMENTUM, synchronized=SYNCHRONIZED)(x)


def activate(x: keras.KerasTensor, *, batch_norm: bool, dropout: float = 0.0) -> keras.KerasTensor:
    """Batch norm, ReLU and dropout of whole channels, as asked for."""
    if batch_norm:
        x = normalize(x)
    x = layers.ReLU()(x)
    return layers.SpatialDropout2D(dropout)(x) if dropout else x


def annealed_mean(logits: keras.KerasTensor, bins: Floats, temperature: float) -> keras.KerasTensor:
    """ab / 128 float32 [n, h, w, 2] of the odds of its classes [n, h, w, Q], float32.

    The mean of the bins under softmax(logits / temperature): at 1 their mean, which is dull, near 0 the likeliest bin,
    which flickers from pixel to pixel (Zhang et al. 2016, arXiv:1603.08511, section 2.3).
    """
    return ops.matmul(ops.softmax(logits * (1 / temperature), axis=-1), bins / _AB_SCALE)


@dataclass(frozen=True)
class Head:
    """The last layers of every model, in float32: RGB in [0, 1], or ab / 128 in [-1, 1].

    Attributes:
        color_space: of the output.
        ab_step: ab is the annealed mean over classes on a grid of so many units; a layer ``logits`` [n, h, w, Q] holds
            their odds. None for ab or RGB as such.
        temperature: of that mean.
    """

    color_space: ColorSpace
    ab_step: float | None = None
    temperature: float = 0.38

    def of_map(self, x: keras.KerasTensor, *, kernel_size: int = 3, from_gray: bool = False) -> keras.KerasTensor:
        """Colors [n, h, w, 2 or 3] of features [n, h, w, c].

        Args:
            x: the features.
            kernel_size: of the convolution; that of the classes is 1x1.
            from_gray: start with zeros: in Lab training then starts at the gray copy, not at random colors far from it,
                and ab needs no activation there. Classes start with equal odds.
        """
        start = "zeros" if from_gray else "glorot_uniform"
        if self.ab_step is not None:
            bins = classes.ab_bins(self.ab_step)
            logits = layers.Conv2D(len(bins), 1, kernel_initializer=start, dtype="float32", name="logits")(x)
            return annealed_mean(logits, bins, self.temperature)
        channels, activation = self._plain()
        if from_gray and self.color_space == "lab":
            activation = None
        return layers.Conv2D(
            channels,
            kernel_size,
            padding="same",
            activation=activation,
            kernel_initializer=start,
            dtype="float32",
            name="colors",
        )(x)

    def of_vector(self, x: keras.KerasTensor, side: int) -> keras.KerasTensor:
        """Colors [n, side, side, 2 or 3] of a vector [n, c]."""
        if self.ab_step is not None:  # not from the vector itself: Q numbers per pixel would be most of all weights
            x = layers.Dense(side * side * _FEATURES, activation="relu", kernel_initializer="he_normal")(x)
            return self.of_map(layers.Reshape((side, side, _FEATURES))(x))
        channels, activation = self._plain()
        x = layers.Dense(side * side * channels, activation=activation, dtype="float32")(x)
        return layers.Reshape((side, side, channels), dtype="float32")(x)

    def _plain(self) -> tuple[int, str | None]:
        return (3, "sigmoid") if self.color_space == "rgb" else (2, "tanh")
