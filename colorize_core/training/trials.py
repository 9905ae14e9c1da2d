"""The trials of a search, and the table of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from colorize_core.training.history import History, best_epoch
from colorize_core.training.search_space import Setting


@dataclass(frozen=True)
class Trial:
    """A set of settings, and the epochs that were trained with it.

    Attributes:
        number: number of the trial, from 0 on.
        settings: values by dotted name.
        history: one row per epoch.
        failure: why the trial could not be trained; '' if it could.
    """

    number: int
    settings: Mapping[str, Setting]
    history: History
    failure: str = ""

    @property
    def val_mse(self) -> float:
        """The mean squared error on the validation images in the best epoch, by which trials are compared.

        The value is infinite if the trial failed, even after some epochs.
        """
        best = best_epoch(self.history) if self.history and not self.failure else None
        return next((row.val_mse for row in self.history if row.epoch == best), float("inf"))


def to_csv(trials: list[Trial]) -> bytes:
    """Returns CSV with one row per trial, in the given order."""
    names = list(trials[0].settings)
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["trial", *names, "epochs", "val_mse", "val_gray_mse", "minutes", "failure"])
    for trial in trials:
        gray = trial.history[0].val_gray_mse if trial.history else ""
        minutes = round(sum(row.seconds for row in trial.history) / 60, 2)
        values = [trial.settings[name] for name in names]
        error = "" if trial.failure else trial.val_mse
        writer.writerow([trial.number, *values, len(trial.history), error, gray, minutes, trial.failure])
    return file.getvalue().encode()
