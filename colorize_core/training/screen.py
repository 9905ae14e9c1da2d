"""What a person sees of a training run."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.table import Table

from colorize_core.evaluation.screen import show_judgement
from colorize_core.training.checkpoints import History
from colorize_core.training.trainer import TrainingRun
from colorize_core.training.tuning import TuningRun

_REJECTS_SHOWN = 5


class EpochBoard:
    """A line per epoch, and a table at the end."""

    def __init__(self, epochs: int) -> None:
        self._console = Console(highlight=False)
        self._epochs = epochs
        self._best = float("inf")
        self._last = 0

    def __enter__(self) -> EpochBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt) and self._last:
            self._console.print(f"epoch {self._last} is kept: the same command with --resume goes on")

    def epoch(self, row: dict[str, float]) -> None:
        """Shows one history row."""
        self._last = int(row["epoch"])
        left = (self._epochs - row["epoch"]) * row["seconds"] / 60
        mark = " *" if row["val_loss"] < self._best else ""
        self._best = min(self._best, row["val_loss"])
        self._console.print(
            f"epoch {row['epoch']:.0f}/{self._epochs}  loss {row['loss']:.5f}  val {row['val_loss']:.5f} "
            f"(gray {row['val_gray_loss']:.5f})  {row['images_per_second']:.0f} images/s  {left:.0f} min left{mark}",
            soft_wrap=True,
        )

    def close(self, done: TrainingRun) -> None:
        """Shows what was made and how good it is."""
        metrics = done.bundle.metrics
        show_judgement(self._console, metrics, f"{done.bundle.name} on {metrics['images']} test images")
        for reason in done.rejected[:_REJECTS_SHOWN]:
            self._console.print(f"left out: {reason}", soft_wrap=True, markup=False)
        if len(done.rejected) > _REJECTS_SHOWN:
            self._console.print(f"left out: {len(done.rejected) - _REJECTS_SHOWN} more")
        self._console.print(f"bundle: {done.output}", soft_wrap=True, markup=False)


class TrialBoard:
    """A line per epoch of each trial, and a table of the trials at the end."""

    def __init__(self, trials: int, epochs: int) -> None:
        self._console = Console(highlight=False)
        self._trials = trials
        self._epochs = epochs
        self._best = float("inf")
        self._begun = False

    def __enter__(self) -> TrialBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt) and self._begun:
            self._console.print("what the trials reached is kept: the same command with --resume goes on")

    def epoch(self, number: int, history: History) -> None:
        """Shows the last row of a trial."""
        self._begun = True
        row = history[-1]
        mark = " *" if row["val_mse"] < self._best else ""
        self._best = min(self._best, row["val_mse"])
        self._console.print(
            f"trial {number + 1}/{self._trials}  epoch {row['epoch']:.0f}/{self._epochs}  val MSE {row['val_mse']:.5f} "
            f"(gray {row['val_gray_mse']:.5f})  {row['images_per_second']:.0f} images/s{mark}",
            soft_wrap=True,
        )

    def close(self, done: TuningRun) -> None:
        """Shows all trials, the best first, and how good the best one is."""
        table = Table(title=f"{len(done.trials)} trials of {done.bundle.name}", title_justify="left")
        for heading in ("trial", "epochs", "val MSE"):
            table.add_column(heading, justify="right")
        table.add_column("settings", overflow="fold")
        for trial in done.trials:
            settings = trial.failure or ", ".join(
                f"{name.rpartition('.')[2]} {value}" for name, value in trial.settings.items()
            )
            reached = f"{trial.val_mse:.5f}" if trial.history else "failed"
            table.add_row(f"{trial.number + 1}", f"{len(trial.history)}", reached, settings)
        self._console.print(table)
        metrics = done.bundle.metrics
        show_judgement(self._console, metrics, f"the best on {metrics['images']} test images")
        self._console.print(f"bundle: {done.output}", soft_wrap=True, markup=False)
