"""Schedules of the learning rate: a rate for each step.

Keras' ``CosineDecay`` cannot replace it: Keras has no warm-up for the exponential and the constant schedule, and wants
the number of steps as a number when it is built; here it is known only after the training step is traced.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from colorize_core.recipes import TrainingSettings

_END = 0.01  # fraction of the peak at which an exponential schedule ends


class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Linear warm-up to the peak, then the recipe's schedule up to the last step.

    ``cosine`` falls to 0 (Loshchilov and Hutter 2017, arXiv:1608.03983), ``exponential`` falls to a hundredth of the
    peak, ``constant`` stays at the peak.

    The number of steps is a variable, so that the training step can be traced before the number is known.

    Args:
        settings: section ``training`` of the recipe.
        factor: multiplies the recipe's learning rate.
    """

    def __init__(self, settings: TrainingSettings, factor: float = 1.0) -> None:
        self._settings = settings
        self._factor = factor
        self._warmup, self._decay = (keras.Variable(steps, trainable=False, dtype="float32") for steps in (0.0, 1.0))

    def plan(self, steps: int) -> None:
        """Sets the number of steps of the whole training."""
        warmup = int(steps * self._settings.warmup)
        self._warmup.assign(warmup)
        self._decay.assign(max(1, steps - warmup))

    def __call__(self, step: Any) -> Any:
        """Returns the learning rate of a step, counted from 0."""
        settings = self._settings
        warmup = ops.convert_to_tensor(self._warmup)
        step = ops.cast(step, "float32")
        fraction = ops.clip((step - warmup) / self._decay, 0.0, 1.0)
        factor = {
            "constant": lambda: ops.ones_like(fraction),
            "cosine": lambda: 0.5 * (1 + ops.cos(math.pi * fraction)),
            "exponential": lambda: ops.exp(math.log(_END) * fraction),
        }[settings.schedule]()
        return self._factor * settings.learning_rate * factor * ops.minimum(1.0, (step + 1) / (warmup + 1))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, which Keras requires; the optimizer is never saved with them."""
        return {"settings": self._settings.model_dump(), "factor": self._factor}
