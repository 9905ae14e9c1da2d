"""Progress of a run for people: a bar on a terminal, plain lines elsewhere, and a table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from colorize_core import storage
from colorize_core.archiving.state.summary import FOLDER, RunSummary
from colorize_core.runtime.progress_bar import ProgressBar

if TYPE_CHECKING:
    from colorize_core.archiving.job import ArchiveJob
    from colorize_core.archiving.planning.plan import Plan
    from colorize_core.archiving.state.ledger import LedgerRow

    OnRow = Callable[[LedgerRow], None]

_FAILURES_SHOWN = 10


class ArchiveProgress(ProgressBar):
    """A progress bar with the rate and the number of failures."""

    def __init__(self, planned: int) -> None:
        super().__init__(
            TextColumn("colorizing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}"),
        )
        self._planned = planned
        self._done = self._failed = 0
        self._first = 0.0
        self._task = self.bar.add_task("", total=planned, rate="starting", failed="")

    def row(self, row: LedgerRow) -> None:
        """Counts a finished photograph, and prints the first failures."""
        self._done += 1
        if row.status == "failed":
            self._failed += 1
            if self._failed <= _FAILURES_SHOWN:
                self.console.print(
                    f"failed: {row.source}: {row.reason}: {row.message}", soft_wrap=True, markup=False, style="yellow"
                )
        now = time.monotonic()
        self._first = self._first or now  # the rate does not include start-up
        rate = f"{self._done / (now - self._first):.1f} images/s" if now - self._first > 1 else ""
        failed = f"{self._failed} failed" if self._failed else ""
        self.bar.update(self._task, completed=self._done, rate=rate, failed=failed)
        if rate and self.is_line_due():
            facts = (f"{self._done}/{self._planned} photographs", rate, failed)
            self.console.print(", ".join(fact for fact in facts if fact), soft_wrap=True)


class RunReporter(Protocol):
    """Shows a run to a person or a program."""

    def say(self, line: str) -> None:
        """Shows a message."""

    def plan(self, job: ArchiveJob, plan: Plan) -> None:
        """Shows what a run will do."""

    def progress(self, planned: int) -> AbstractContextManager[OnRow]:
        """Yields a function that takes the ledger's row of each photograph when it is finished."""

    def summary(self, summary: RunSummary, output: str) -> None:
        """Shows what a run did."""


class TerminalReporter:
    """A ``RunReporter`` for people."""

    def say(self, line: str) -> None:
        """Prints a message in yellow on standard error."""
        Console(stderr=True, highlight=False).print(line, soft_wrap=True, markup=False, style="yellow")

    def plan(self, job: ArchiveJob, plan: Plan) -> None:
        """Prints the plan in a few lines."""
        _show_plan(job, plan)

    @contextmanager
    def progress(self, planned: int) -> Iterator[OnRow]:
        """Shows a bar, or prints a line now and then."""
        with ArchiveProgress(planned) as progress:
            yield progress.row

    def summary(self, summary: RunSummary, output: str) -> None:
        """Prints a table."""
        _show_summary(summary, output)


def _show_plan(job: ArchiveJob, plan: Plan) -> None:
    console = Console(highlight=False)
    console.print(
        f"{plan.photographs} photographs, {plan.todo.num_rows} to colorize ({plan.size / 1e6:.1f} MB), "
        f"{plan.finished} finished before; model {job.bundle.name} {job.bundle.digest[:12]}",
        soft_wrap=True,
    )
    seconds = job.estimate(plan)
    if seconds and plan.todo.num_rows:
        console.print(
            f"about {timedelta(seconds=round(seconds))} (h:mm:ss), at the pace of the largest of the last runs here"
        )
    for folder in job.listing.unlisted:
        console.print(f"cannot be listed: {folder}", soft_wrap=True, markup=False, style="yellow")
    if plan.outdated:
        console.print(
            f"{plan.outdated} of them were done before by another model or with other settings, or have changed since: "
            "they are colorized again",
            soft_wrap=True,
        )
    if plan.failed_before:
        console.print(f"{plan.failed_before} failed before and are not tried again: use --retry-failed to try them")


def _show_summary(summary: RunSummary, output: str) -> None:
    table = Table(title=summary.status, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, value in (
        ("photographs", summary.photographs),
        ("finished before", summary.finished_before),
        ("failed before", summary.failed_before),
        ("colorized", summary.ok),
        ("skipped, in color already", summary.skipped),
        ("failed", summary.failed),
        *((f"  {reason}", count) for reason, count in summary.reasons.items() if reason != "in_color"),
        ("other files, not looked at", summary.other_files),
        ("places that cannot be listed", len(summary.folders_not_listed)),
    ):
        if value or label in ("photographs", "colorized", "failed"):
            table.add_row(label, f"{value:,}")
    if summary.doubt_quartiles:
        table.add_row("doubt, quartiles", "  ".join(f"{quartile:.1f}" for quartile in summary.doubt_quartiles))
    table.add_row("seconds, start-up included", f"{summary.seconds:,.1f}")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"results: {output}", soft_wrap=True, markup=False)
    console.print(f"run file: {storage.join(output, FOLDER, summary.run_id)}.json", soft_wrap=True, markup=False)
