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

    Args:
        settings: of the recipe.
        steps: of the whole training.
        factor: of the recipe's rate.
    """

    def __init__(self, settings: TrainingSettings, steps: int, factor: float = 1.0) -> None:
        self._settings = settings
        self._steps = steps
        self._factor = factor

    def __call__(self, step: Any) -> Any:
        """The rate at a step, from 0 on."""
        settings = self._settings
        warmup = int(self._steps * settings.warmup)
        step = ops.cast(step, "float32")
        part = ops.clip((step - warmup) / max(1, self._steps - warmup), 0.0, 1.0)
        factor = {
            "constant": lambda: ops.ones_like(part),
            "cosine": lambda: 0.5 * (1 + ops.cos(math.pi * part)),
            "exponential": lambda: ops.exp(math.log(_END) * part),
        }[settings.schedule]()
        return self._factor * settings.learning_rate * factor * ops.minimum(1.0, (step + 1) / (warmup + 1))

    def get_config(self) -> dict[str, Any]:
        """As Keras asks for; the optimizer is never saved with it."""
        return {"settings": self._settings.model_dump(), "steps": self._steps, "factor": self._factor}
