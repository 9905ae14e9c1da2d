"""The mean of a model's weights over the last steps of its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from keras import ops

if TYPE_CHECKING:
    import keras

_EVERY = 16  # steps: the weights of those between hardly differ, and nothing has to run on the replicas


class Average:
    """Exponential moving average of weights (Polyak and Juditsky 1992; momentum as in tf.train).

    Late steps of training go around a minimum, their mean lies nearer to it; where a training set is small, it also
    does better on other images.

    Args:
        model: that learns.
        mean: another one of the same kind, which takes its weights now and follows it.
        momentum: of a step, in [0, 1): 0.999 is the mean of about the last 1,000 steps. The first steps have less.
    """

    def __init__(self, model: keras.Model, mean: keras.Model, momentum: float) -> None:
        self.mean = mean
        self._pairs = list(zip(mean.variables, model.variables, strict=True))
        self._momentum = momentum
        for kept, current in self._pairs:
            kept.assign(current)

    def follow(self, steps: int) -> None:
        """To be called after each step, with the number of steps that are done."""
        if steps % _EVERY:
            return
        taken = steps // _EVERY
        # Else the mean would be of random weights for long.
        momentum = min(self._momentum**_EVERY, (1 + taken) / (10 + taken))
        for kept, current in self._pairs:
            before, now = ops.convert_to_numpy(kept), ops.convert_to_numpy(current)
            counts = not np.issubdtype(now.dtype, np.floating)  # states of random generators
            kept.assign(now if counts else before + (1 - momentum) * (now - before))
