"""Colors from the odds of classes of ab, as layers of a network, so that no map of odds leaves the network.

A network with a class head predicts, for each pixel, the odds of every bin of ab (``classes``). It was taught with
weights w that make rare colors count more (``classes.class_weights``), so its softmax is proportional to w times the
true odds. The odds at temperature T with a share b of the weights taken back are

    p(b, T) = softmax((logits - b log w) / T),

and a color is the mean of the bins under them (the annealed mean of Zhang et al. 2016, arXiv:1603.08511, section 2.3).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from colorize_core.color import AB_SCALE
from colorize_core.models import classes
from colorize_core.models.classes import FAITHFUL_ODDS, VIVID_ODDS

CHANNELS = 5  # faithful a and b, vivid a and b, spread
_LARGEST_EXPONENT = 60.0  # exp(60) of 969 classes is finite in float32


@keras.saving.register_keras_serializable("colorize_core")
class ColorOdds(keras.layers.Layer):  # type: ignore[misc] # Keras has no types
    """A layer that converts class logits [n, h, w, Q] to five numbers per pixel, [n, h, w, 5].

    They are faithful a and b, vivid a and b, and the spread of the faithful odds: the root of the summed variance of a
    and b. All are in units of ab / 128. The constants are weights without training, so a bundle holds them.

    Args:
        step: step of the bins, in units of ab.
    """

    def __init__(self, step: float = classes.STEP, **options: Any) -> None:
        super().__init__(dtype="float32", **options)
        self.step = step
        bins = classes.ab_bins(step)

        def constant(values: Any, name: str) -> keras.Variable:
            values = np.asarray(values, np.float32)
            return self.add_weight(
                shape=values.shape, initializer=keras.initializers.Constant(values), trainable=False, name=name
            )

        self.log_weights = constant(np.zeros(len(bins)), "log_weights")
        self.faithful = constant(FAITHFUL_ODDS, "faithful")
        self.vivid = constant(VIVID_ODDS, "vivid")
        squares = np.square(bins).sum(axis=1, keepdims=True) / AB_SCALE**2
        self._moments = np.concatenate([bins / AB_SCALE, squares, np.ones_like(squares)], axis=1)[None, None]

    def call(self, logits: keras.KerasTensor) -> keras.KerasTensor:
        """Returns [n, h, w, 5]."""
        faithful, vivid = (self._moments_of(logits, odds) for odds in (self.faithful, self.vivid))
        mean = faithful[..., :2] / faithful[..., 3:]
        variance = faithful[..., 2:3] / faithful[..., 3:] - ops.sum(ops.square(mean), axis=-1, keepdims=True)
        spread = ops.sqrt(ops.maximum(variance, 0.0))
        return ops.concatenate([mean, vivid[..., :2] / vivid[..., 3:], spread], axis=-1)

    def _moments_of(self, logits: keras.KerasTensor, odds: keras.Variable) -> keras.KerasTensor:
        """Returns sums over the classes of a, b, a^2 + b^2 and 1, each times p(b, T), [n, h, w, 4].

        As a 1x1 convolution this costs nothing beside the network; a softmax over the channels would cost as much as
        the network.
        """
        temperature, debias = odds[0], odds[1]
        exponents = (logits - debias * self.log_weights) / temperature
        shares = ops.exp(ops.clip(exponents, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))
        return ops.conv(shares, ops.convert_to_tensor(self._moments, "float32"))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        config: dict[str, Any] = super().get_config()
        return config | {"step": self.step}
