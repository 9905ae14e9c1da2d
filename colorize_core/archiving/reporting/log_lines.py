"""Progress of a run for programs: one JSON object per line on standard output."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from colorize_core.archiving.job import ArchiveJob
    from colorize_core.archiving.planning.plan import Plan
    from colorize_core.archiving.reporting.screen import OnRow
    from colorize_core.archiving.state.ledger import LedgerRow
    from colorize_core.archiving.state.summary import RunSummary

_SECONDS_BETWEEN_LINES = 10.0


class LogLines:
    """A ``screen.RunReporter`` whose lines have ``time``, ``event`` and the facts of the event."""

    def say(self, line: str) -> None:
        """Logs a message as ``event: notice``."""
        _log("notice", message=line)

    def plan(self, job: ArchiveJob, plan: Plan) -> None:
        """Logs the plan as ``event: plan``."""
        _log(
            "plan",
            run_id=job.run_id,
            model=job.bundle.name,
            model_digest=job.bundle.digest,
            photographs=plan.photographs,
            planned=plan.todo.num_rows,
            bytes=plan.size,
            finished_before=plan.finished,
            failed_before=plan.failed_before,
            outdated=plan.outdated,
            other_files=job.listing.other_files,
            not_listed=job.listing.unlisted,
            estimated_seconds=job.estimate(plan),
        )

    @contextmanager
    def progress(self, planned: int) -> Iterator[OnRow]:
        """Logs ``event: failed`` for each photograph that failed, and ``event: progress`` every ten seconds."""
        done = failed = 0
        first = last = 0.0

        def count(row: LedgerRow) -> None:
            nonlocal done, failed, first, last
            done += 1
            now = time.monotonic()
            first, last = first or now, last or now
            if row.status == "failed":
                failed += 1
                _log("failed", source=row.source, reason=row.reason, message=row.message)
            if now - last >= _SECONDS_BETWEEN_LINES:
                last = now
                _log("progress", done=done, planned=planned, failed=failed, images_per_second=done / (now - first))

        yield count

    def summary(self, summary: RunSummary, output: str) -> None:
        """Logs ``event: summary`` with the facts of the run's JSON file."""
        _log("summary", **asdict(summary))


def _log(event: str, **facts: object) -> None:
    moment = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    click.echo(json.dumps({"time": moment, "event": event, **facts}, ensure_ascii=False))
