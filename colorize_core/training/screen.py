"""Output of a training and of a search on screen: progress bar, a line per epoch, and a table at the end."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn
from rich.table import Table

from colorize_core.evaluation.screen import show_measurements
from colorize_core.runtime.progress_bar import ProgressBar
from colorize_core.training.history import History, HistoryRow
from colorize_core.training.throughput import StepProgress
from colorize_core.training.trainer import TrainingRun
from colorize_core.training.tuning import TuningRun

_MAX_REJECTED_SHOWN = 5


class EpochProgress(ProgressBar):
    """Screen output of a training: a bar for the current epoch, a line per finished epoch, and a table at the end.

    Args:
        epochs: number of epochs of the training.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__(*_columns())
        self._task = self.bar.add_task("preparing", total=None, speed="")
        self._epochs = epochs
        self._best = float("inf")
        self._last_epoch = 0
        self._epoch_seconds = 0.0  # duration of the last epoch, including its validation

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if isinstance(error, KeyboardInterrupt) and self._last_epoch:
            self.console.print(f"epoch {self._last_epoch} is kept: run the same command with --resume to continue")

    def step(self, progress: StepProgress) -> None:
        """Shows the progress within an epoch."""
        epochs_left = self._epochs - progress.epoch + 1 - progress.fraction
        left = _time_left(max(self._epoch_seconds, progress.seconds) * epochs_left)
        speed = f"{progress.images_per_second:.0f} images/s  {left}"
        name = f"epoch {progress.epoch} of {self._epochs}"
        self.bar.update(self._task, description=name, total=1, completed=progress.fraction, speed=speed)
        if self.is_line_due():
            self.console.print(f"{progress.fraction:.0%} of {name}  {speed}", soft_wrap=True)

    def epoch(self, row: HistoryRow) -> None:
        """Prints one history row; * marks the best epoch so far."""
        self._last_epoch = row.epoch
        self._epoch_seconds = row.seconds
        left = _time_left((self._epochs - row.epoch) * row.seconds)
        mark = " *" if row.val_loss < self._best else ""
        self._best = min(self._best, row.val_loss)
        self.console.print(
            f"epoch {row.epoch}/{self._epochs}  loss {row.loss:.5f}  val {row.val_loss:.5f} "
            f"(gray {row.val_gray_loss:.5f})  {row.images_per_second:.0f} images/s  {left}{mark}",
            soft_wrap=True,
        )
        if self._last_epoch == self._epochs:
            self.bar.update(self._task, description="measuring", total=None, speed="")

    def close(self, run: TrainingRun) -> None:
        """Prints the metrics of the bundle, the images that were left out, and where the bundle is."""
        self.bar.update(self._task, visible=False)
        metrics = run.bundle.metrics
        show_measurements(self.console, metrics, f"{run.bundle.name} on {metrics['images']} test images")
        for reason in run.rejected[:_MAX_REJECTED_SHOWN]:
            self.console.print(f"left out: {reason}", soft_wrap=True, markup=False)
        if len(run.rejected) > _MAX_REJECTED_SHOWN:
            self.console.print(f"left out: {len(run.rejected) - _MAX_REJECTED_SHOWN} more")
        show_bundle(self.console, run.output, run.not_converted)


def show_bundle(console: Console, output: str, not_converted: str) -> None:
    """Prints where the bundle is, and why it has no ONNX file if it has none."""
    if not_converted:
        console.print(f"the bundle runs through TensorFlow only: {not_converted}", soft_wrap=True, markup=False)
    console.print(f"bundle: {output}", soft_wrap=True, markup=False)


def _columns() -> list[ProgressColumn]:
    return [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[speed]}")]


def _time_left(seconds: float) -> str:
    return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"


class TrialProgress(ProgressBar):
    """Screen output of a search: a bar per running trial, a line per finished epoch, a table of trials at the end.

    Args:
        trials: number of trials.
        epochs: number of epochs of a trial that is not stopped early.
    """

    def __init__(self, trials: int, epochs: int) -> None:
        super().__init__(*_columns())
        self._tasks: dict[int, TaskID] = {}
        self._trials = trials
        self._epochs = epochs
        self._best = float("inf")
        self._any_epoch = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if isinstance(error, KeyboardInterrupt) and self._any_epoch:
            self.console.print("the finished epochs are kept: run the same command with --resume to continue")

    def update(self, number: int, progress: History | StepProgress) -> None:
        """Shows the progress within an epoch of a trial, or the last row of its history."""
        if isinstance(progress, StepProgress):
            self._step(number, progress)
        else:
            self._epoch(number, progress[-1])

    def _step(self, number: int, progress: StepProgress) -> None:
        name = f"epoch {progress.epoch} of {self._epochs}, trial {number + 1} of {self._trials}"
        if number not in self._tasks:
            self._tasks[number] = self.bar.add_task("", total=1, speed="")
        speed = f"{progress.images_per_second:.0f} images/s"
        self.bar.update(self._tasks[number], description=name, completed=progress.fraction, speed=speed)
        if self.is_line_due():
            self.console.print(f"{progress.fraction:.0%} of {name}  {speed}", soft_wrap=True)

    def _epoch(self, number: int, row: HistoryRow) -> None:
        self._any_epoch = True
        if number in self._tasks:  # whether another epoch follows is known only from that epoch's first report
            self.bar.remove_task(self._tasks.pop(number))
        mark = " *" if row.val_mse < self._best else ""
        self._best = min(self._best, row.val_mse)
        self.console.print(
            f"trial {number + 1}/{self._trials}  epoch {row.epoch}/{self._epochs}  val MSE {row.val_mse:.5f} "
            f"(gray {row.val_gray_mse:.5f})  {row.images_per_second:.0f} images/s{mark}",
            soft_wrap=True,
        )

    def close(self, run: TuningRun) -> None:
        """Prints a table of all trials, the best first, and the metrics of the best one."""
        for task in self._tasks.values():
            self.bar.update(task, visible=False)
        table = Table(title=f"{len(run.trials)} trials of {run.bundle.name}", title_justify="left")
        for heading in ("trial", "epochs", "val MSE"):
            table.add_column(heading, justify="right")
        table.add_column("settings", overflow="fold")
        for trial in run.trials:
            settings = trial.failure or ", ".join(
                f"{name.rpartition('.')[2]} {value}" for name, value in trial.settings.items()
            )
            error = "failed" if trial.failure else f"{trial.val_mse:.5f}"
            table.add_row(f"{trial.number + 1}", f"{len(trial.history)}", error, settings)
        self.console.print(table)
        metrics = run.bundle.metrics
        show_measurements(self.console, metrics, f"the best on {metrics['images']} test images")
        show_bundle(self.console, run.output, run.not_converted)
