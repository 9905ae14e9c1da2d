"""A moving average of a model's weights over the steps of its training.

Keras' ``use_ema`` cannot replace it: its momentum does not rise, and it does not average the statistics of batch
normalization.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

_EVERY = 16  # steps between two updates: weights hardly differ in between, and updates do not run on the replicas


class WeightAverage:
    """Exponential moving average of weights (Polyak and Juditsky 1992; momentum as in tf.train).

    Late steps of a training move around a minimum; the mean of their weights is nearer to the minimum. With a small
    training set, the mean also does better on new images.

    Args:
        variables: the variables of the model that is trained.
        momentum: momentum per step, in [0, 1): 0.999 averages about the last 1,000 steps. The first steps use less.

    Attributes:
        mean: average value of each variable, in the order of ``variables``.
    """

    def __init__(self, variables: list[Any], momentum: float) -> None:
        self._variables = variables
        self._momentum = momentum
        self._is_in_place = False
        self.mean = self._values()

    def update(self, steps: int) -> None:
        """Updates the average. Call it after each step, with the number of steps that are done."""
        if steps % _EVERY:
            return
        updates = steps // _EVERY
        # With the full momentum, the random weights of the start would stay in the mean for long.
        momentum = min(self._momentum**_EVERY, (1 + updates) / (10 + updates))
        for i, value in enumerate(self._values()):
            is_state = not np.issubdtype(value.dtype, np.floating)  # state of a random generator: not averaged
            self.mean[i] = value if is_state else self.mean[i] + (1 - momentum) * (value - self.mean[i])

    def set_constant(self, variable: Any) -> None:
        """Takes the value of a variable that no step changes, after it was set."""
        [place] = [i for i, each in enumerate(self._variables) if each is variable]
        self.mean[place] = np.array(ops.convert_to_numpy(variable))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Sets the model's weights to the mean, and restores its own weights at the end. Can be nested."""
        if self._is_in_place:
            yield
            return
        own = self._values()
        self._assign(self.mean)
        self._is_in_place = True
        try:
            yield
        finally:
            self._assign(own)
            self._is_in_place = False

    def _values(self) -> list[NDArray[Any]]:
        return [np.array(ops.convert_to_numpy(variable)) for variable in self._variables]

    def _assign(self, values: list[NDArray[Any]]) -> None:
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)
