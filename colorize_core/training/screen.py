"""What a person sees of a training run."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn
from rich.table import Table

from colorize_core.evaluation.screen import show_measurements
from colorize_core.runtime.progress_bar import ProgressBar
from colorize_core.training.checkpoints import History
from colorize_core.training.pace import Moment
from colorize_core.training.trainer import TrainingRun
from colorize_core.training.tuning import TuningRun

_REJECTS_SHOWN = 5


class EpochProgress(ProgressBar):
    """A bar for the epoch that goes on, a line for each that is done, and a table at the end."""

    def __init__(self, epochs: int) -> None:
        super().__init__(*_columns())
        self._task = self.bar.add_task("preparing", total=None, pace="")
        self._epochs = epochs
        self._best = float("inf")
        self._last = 0
        self._seconds = 0.0  # of the last epoch, with its validation

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if isinstance(error, KeyboardInterrupt) and self._last:
            self.console.print(f"epoch {self._last} is kept: the same command with --resume goes on")

    def moment(self, moment: Moment) -> None:
        """Shows how far an epoch is."""
        left = max(self._seconds, moment.seconds) * (self._epochs - moment.epoch + 1 - moment.part)
        pace = f"{moment.images_per_second:.0f} images/s  {_left(left)}"
        name = f"epoch {moment.epoch} of {self._epochs}"
        self.bar.update(self._task, description=name, total=1, completed=moment.part, pace=pace)
        if self.is_line_due():
            self.console.print(f"{moment.part:.0%} of {name}  {pace}", soft_wrap=True)

    def epoch(self, row: dict[str, float]) -> None:
        """Shows one history row."""
        self._last = int(row["epoch"])
        self._seconds = row["seconds"]
        left = _left((self._epochs - row["epoch"]) * row["seconds"])
        mark = " *" if row["val_loss"] < self._best else ""
        self._best = min(self._best, row["val_loss"])
        self.console.print(
            f"epoch {row['epoch']:.0f}/{self._epochs}  loss {row['loss']:.5f}  val {row['val_loss']:.5f} "
            f"(gray {row['val_gray_loss']:.5f})  {row['images_per_second']:.0f} images/s  {left}{mark}",
            soft_wrap=True,
        )
        if self._last == self._epochs:
            self.bar.update(self._task, description="measuring", total=None, pace="")

    def close(self, done: TrainingRun) -> None:
        """Shows what was made and how good it is."""
        self.bar.update(self._task, visible=False)
        metrics = done.bundle.metrics
        show_measurements(self.console, metrics, f"{done.bundle.name} on {metrics['images']} test images")
        for reason in done.rejected[:_REJECTS_SHOWN]:
            self.console.print(f"left out: {reason}", soft_wrap=True, markup=False)
        if len(done.rejected) > _REJECTS_SHOWN:
            self.console.print(f"left out: {len(done.rejected) - _REJECTS_SHOWN} more")
        show_bundle(self.console, done.output, done.not_converted)


def show_bundle(console: Console, output: str, not_converted: str) -> None:
    """Shows where the bundle is, and why it has no ONNX file if it has none."""
    if not_converted:
        console.print(f"the bundle runs through TensorFlow only: {not_converted}", soft_wrap=True, markup=False)
    console.print(f"bundle: {output}", soft_wrap=True, markup=False)


def _columns() -> list[ProgressColumn]:
    return [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[pace]}")]


def _left(seconds: float) -> str:
    return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"


class TrialProgress(ProgressBar):
    """A bar for each epoch that goes on, a line for each that is done, and a table of the trials at the end."""

    def __init__(self, trials: int, epochs: int) -> None:
        super().__init__(*_columns())
        self._tasks: dict[int, TaskID] = {}
        self._trials = trials
        self._epochs = epochs
        self._best = float("inf")
        self._begun = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if isinstance(error, KeyboardInterrupt) and self._begun:
            self.console.print("what the trials reached is kept: the same command with --resume goes on")

    def take(self, number: int, told: History | Moment) -> None:
        """Shows how far an epoch of a trial is, or the last row of its history."""
        if isinstance(told, Moment):
            self._moment(number, told)
        else:
            self._epoch(number, told[-1])

    def _moment(self, number: int, moment: Moment) -> None:
        name = f"epoch {moment.epoch} of {self._epochs}, trial {number + 1} of {self._trials}"
        if number not in self._tasks:
            self._tasks[number] = self.bar.add_task("", total=1, pace="")
        pace = f"{moment.images_per_second:.0f} images/s"
        self.bar.update(self._tasks[number], description=name, completed=moment.part, pace=pace)
        if self.is_line_due():
            self.console.print(f"{moment.part:.0%} of {name}  {pace}", soft_wrap=True)

    def _epoch(self, number: int, row: dict[str, float]) -> None:
        self._begun = True
        if number in self._tasks:  # of whether another epoch comes, only its first moment tells
            self.bar.remove_task(self._tasks.pop(number))
        mark = " *" if row["val_mse"] < self._best else ""
        self._best = min(self._best, row["val_mse"])
        self.console.print(
            f"trial {number + 1}/{self._trials}  epoch {row['epoch']:.0f}/{self._epochs}  val MSE {row['val_mse']:.5f} "
            f"(gray {row['val_gray_mse']:.5f})  {row['images_per_second']:.0f} images/s{mark}",
            soft_wrap=True,
        )

    def close(self, done: TuningRun) -> None:
        """Shows all trials, the best first, and how good the best one is."""
        for task in self._tasks.values():
            self.bar.update(task, visible=False)
        table = Table(title=f"{len(done.trials)} trials of {done.bundle.name}", title_justify="left")
        for heading in ("trial", "epochs", "val MSE"):
            table.add_column(heading, justify="right")
        table.add_column("settings", overflow="fold")
        for trial in done.trials:
            settings = trial.failure or ", ".join(
                f"{name.rpartition('.')[2]} {value}" for name, value in trial.settings.items()
            )
            reached = "failed" if trial.failure else f"{trial.val_mse:.5f}"
            table.add_row(f"{trial.number + 1}", f"{len(trial.history)}", reached, settings)
        self.console.print(table)
        metrics = done.bundle.metrics
        show_measurements(self.console, metrics, f"the best on {metrics['images']} test images")
        show_bundle(self.console, done.output, done.not_converted)
