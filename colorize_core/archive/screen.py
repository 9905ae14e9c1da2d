"""What a person sees of an archive run: a bar on a terminal, plain lines elsewhere, and a table at the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from colorize_core import storage
from colorize_core.archive.summary import FOLDER, RunSummary
from colorize_core.board import Board

if TYPE_CHECKING:
    from colorize_core.archive.ledger import LedgerRow
    from colorize_core.archive.pipeline import Archive

_FAILURES_SHOWN = 10


class ArchiveBoard(Board):
    """Shows a run while it goes on."""

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
        """Counts one photograph; the first failures are named as they come."""
        self._done += 1
        if row.status == "failed":
            self._failed += 1
            if self._failed <= _FAILURES_SHOWN:
                self.console.print(
                    f"failed: {row.source}: {row.reason}: {row.message}", soft_wrap=True, markup=False, style="yellow"
                )
        now = time.monotonic()
        self._first = self._first or now  # start-up is no part of the rate
        rate = f"{self._done / (now - self._first):.1f} images/s" if now - self._first > 1 else ""
        failed = f"{self._failed} failed" if self._failed else ""
        self.bar.update(self._task, completed=self._done, rate=rate, failed=failed)
        if rate and self.is_line_due():
            facts = (f"{self._done}/{self._planned} photographs", rate, failed)
            self.console.print(", ".join(fact for fact in facts if fact), soft_wrap=True)


def show_plan(archive: Archive) -> None:
    """Says what a run would do, before it does it."""
    plan, console = archive.plan, Console(highlight=False)
    size = sum(source.size for source, _ in plan.todo)
    console.print(
        f"{len(archive.listing.sources)} photographs, {len(plan.todo)} to colorize ({size / 1e6:.1f} MB), "
        f"{plan.finished} finished before; model {archive.bundle.name} {archive.bundle.digest[:12]}",
        soft_wrap=True,
    )
    for folder in archive.listing.unlisted:
        console.print(f"cannot be listed: {folder}", soft_wrap=True, markup=False, style="yellow")
    if plan.outdated:
        console.print(
            f"{plan.outdated} of them were done before by another model or with other settings, or have changed since: "
            "they are made again",
            soft_wrap=True,
        )
    if plan.failed_before:
        console.print(f"{plan.failed_before} failed before and are left alone: --retry-failed tries them again")


def show_summary(summary: RunSummary, output: str) -> None:
    """The table at the end."""
    table = Table(title=summary.status, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, value in (
        ("photographs", summary.photographs),
        ("finished before", summary.finished_before),
        ("failed before", summary.failed_before),
        ("colorized", summary.ok),
        ("failed", summary.failed),
        *((f"  {reason}", count) for reason, count in summary.reasons.items()),
        ("other files, not looked at", summary.other_files),
        ("folders that cannot be listed", len(summary.folders_not_listed)),
    ):
        if value or label in ("photographs", "colorized", "failed"):
            table.add_row(label, f"{value:,}")
    table.add_row("seconds, start-up included", f"{summary.seconds:,.1f}")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"results: {output}", soft_wrap=True, markup=False)
    console.print(f"run file: {storage.join(output, FOLDER, summary.run_id)}.json", soft_wrap=True, markup=False)
