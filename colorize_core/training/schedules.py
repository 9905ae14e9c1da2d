"""Learning rate per step."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from colorize_core.recipes import TrainingSettings

_END = 0.01  # of the peak, where an exponential schedule ends


class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Linear warm-up to the peak, then as the recipe says to the last step.

    ``cosine`` falls to 0 (Loshchilov and Hutter 2017, arXiv:1608.03983), ``exponential`` to a hundredth of the peak,
    ``constant`` stays.

    The number of steps is a variable, so that the training step can be traced before it is known.

    Args:
        settings: of the recipe.
        factor: of the recipe's rate.
    """

    def __init__(self, settings: TrainingSettings, factor: float = 1.0) -> None:
        self._settings = settings
        self._factor = factor
        self._warmup, self._rest = (keras.Variable(steps, trainable=False, dtype="float32") for steps in (0.0, 1.0))

    def plan(self, steps: int) -> None:
        """Sets the number of steps of the whole training."""
        warmup = int(steps * self._settings.warmup)
        self._warmup.assign(warmup)
        self._rest.assign(max(1, steps - warmup))

    def __call__(self, step: Any) -> Any:
        """The rate at a step, from 0 on."""
        settings = self._settings
        warmup = ops.convert_to_tensor(self._warmup)
        step = ops.cast(step, "float32")
        part = ops.clip((step - warmup) / self._rest, 0.0, 1.0)
        factor = {
            "constant": lambda: ops.ones_like(part),
            "cosine": lambda: 0.5 * (1 + ops.cos(math.pi * part)),
            "exponential": lambda: ops.exp(math.log(_END) * part),
        }[settings.schedule]()
        return self._factor * settings.learning_rate * factor * ops.minimum(1.0, (step + 1) / (warmup + 1))

    def get_config(self) -> dict[str, Any]:
        """As Keras asks for; the optimizer is never saved with it."""
        return {"settings": self._settings.model_dump(), "factor": self._factor}
