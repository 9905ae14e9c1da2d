"""Messages that the first worker of a training sends to the driver."""

from __future__ import annotations

from dataclasses import dataclass

from colorize_core.training.history import HistoryRow
from colorize_core.training.throughput import StepProgress


@dataclass(frozen=True)
class WorkerStarted:
    """A message that the first worker's process runs and begins to import TensorFlow."""


@dataclass(frozen=True)
class ModelCheckResult:
    """Result of building the recipe's model and running it on blank images.

    Attributes:
        error: why the model cannot be trained; '' if it can.
    """

    error: str


# bytes: a PNG with samples. Exception: the error that ends the training.
Message = WorkerStarted | ModelCheckResult | StepProgress | HistoryRow | bytes | Exception
