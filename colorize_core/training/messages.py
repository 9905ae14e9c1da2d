"""Messages that the first worker of a training, or a trial of a search, sends to the driver."""

from __future__ import annotations

from dataclasses import dataclass

from colorize_core.training.history import History, HistoryRow
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


@dataclass(frozen=True)
class Samples:
    """Validation images as the model colorizes them now.

    Attributes:
        png: a PNG of the images.
    """

    png: bytes


@dataclass(frozen=True)
class Failure:
    """A message that the training ends early.

    Attributes:
        error: the error that ends the training.
    """

    error: Exception


Message = WorkerStarted | ModelCheckResult | StepProgress | HistoryRow | Samples | Failure


@dataclass(frozen=True)
class TrialReport:
    """Progress of one trial of a search.

    Attributes:
        number: number of the trial, from 0 on.
        progress: the trial's history so far, or its progress within an epoch.
    """

    number: int
    progress: History | StepProgress
