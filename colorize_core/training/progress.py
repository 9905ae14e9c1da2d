"""Progress of a training in the driver: handles the workers' messages and writes files that a person can watch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from colorize_core import storage
from colorize_core.errors import RecipeError
from colorize_core.training import curves, history
from colorize_core.training.history import History, HistoryRow
from colorize_core.training.messages import Failure, Message, ModelCheckResult, Samples, WorkerStarted
from colorize_core.training.throughput import OnProgress, StepProgress

OnEpoch = Callable[[HistoryRow], None]


class TrainingProgress:
    """The state of a training, as the workers report it to the driver.

    Writes ``history.csv``, ``curves.png``, ``samples.png`` and TensorBoard's log into ``folder`` while the training
    runs.

    Args:
        folder: folder for the files.
        on_epoch: called with each new history row.
        on_progress: called with each report from within an epoch.

    Attributes:
        history: one row per epoch.
        worker_started: set as soon as a worker's process runs.
        model_checked: set as soon as a worker has found out whether the recipe's model can be trained.
        error: why the training ended early; None if it did not.
    """

    def __init__(self, folder: str, on_epoch: OnEpoch, on_progress: OnProgress) -> None:
        self.history: History = []
        self.worker_started = threading.Event()
        self.model_checked = threading.Event()
        self.error: Exception | None = None
        self._folder = folder
        self._on_epoch = on_epoch
        self._on_progress = on_progress

    def restore(self, rows: History) -> None:
        """Adds the history of a training that is resumed."""
        for row in rows:
            self._add(row)

    def handle(self, message: Message) -> None:
        """Handles one message of a worker."""
        if isinstance(message, StepProgress):
            self._on_progress(message)
        elif isinstance(message, WorkerStarted):
            self.worker_started.set()
        elif isinstance(message, ModelCheckResult):
            if message.error:
                self.error = RecipeError(message.error)
            self.model_checked.set()
        elif isinstance(message, Failure):
            self.error = message.error
        elif isinstance(message, Samples):
            self._write({"samples.png": message.png})
        else:
            self._add(message)

    def _add(self, row: HistoryRow) -> None:
        if row.epoch in {known.epoch for known in self.history}:
            return  # a worker was lost after it had sent this row, and its replacement repeated the epoch
        self.history.append(row)
        self._on_epoch(row)
        files = {"history.csv": history.to_csv(self.history), "curves.png": curves.draw(self.history)}
        self._write(files | curves.tensorboard(self.history))

    def _write(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            with suppress(OSError):  # these files are optional; the checkpoint reports a full disk
                storage.write(storage.join(self._folder, name), content)
