"""The trials of a search, and the table of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from colorize_core.training import loop
from colorize_core.training.checkpoints import History


@dataclass(frozen=True)
class Trial:
    """One draw of the settings, and how far it came.

    Attributes:
        number: from 0 on.
        settings: values by dotted name.
        history: a row per epoch.
        failure: why it could not be trained; '' where it could.
    """

    number: int
    settings: Mapping[str, Any]
    history: History
    failure: str = ""

    @property
    def val_mse(self) -> float:
        """Mean squared error on the validation images in the epoch that is kept: what trials are compared by.

        Infinite where the trial failed, however far it came.
        """
        kept = loop.best_epoch(self.history) if self.history and not self.failure else None
        return next((row["val_mse"] for row in self.history if row["epoch"] == kept), float("inf"))


def table(trials: list[Trial]) -> bytes:
    """CSV with a row per trial, the best first."""
    names = list(trials[0].settings)
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["trial", *names, "epochs", "val_mse", "val_gray_mse", "minutes", "failure"])
    for trial in trials:
        gray = trial.history[0]["val_gray_mse"] if trial.history else ""
        minutes = round(sum(row["seconds"] for row in trial.history) / 60, 2)
        values = [trial.settings[name] for name in names]
        reached = "" if trial.failure else trial.val_mse
        writer.writerow([trial.number, *values, len(trial.history), reached, gray, minutes, trial.failure])
    return file.getvalue().encode()
