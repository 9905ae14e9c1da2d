"""Counters of a run, for its summary."""

from __future__ import annotations

import bisect
import itertools
import platform
import time
from collections import Counter
from datetime import datetime, timezone

from colorize_core.archiving.job import ArchiveJob
from colorize_core.archiving.planning.plan import Plan
from colorize_core.archiving.stages.finished import FinishedPhotograph
from colorize_core.archiving.state.summary import RunSummary, State
from colorize_core.errors import printable
from colorize_core.networks import library_versions
from colorize_core.version import __version__

_DOUBT_STEPS = 10  # per unit of ab; quartiles of counts take little memory for any number of photographs
_LIBRARIES = ("numpy", "pillow", "ray")  # besides those of the engines


class RunCounts:
    """The counters of a run: adds up its photographs as they are finished.

    Args:
        job: the validated job.
        plan: what the run will do.
    """

    def __init__(self, job: ArchiveJob, plan: Plan) -> None:
        self._job, self._plan = job, plan
        self._started_at = datetime.now(timezone.utc)
        self._started = time.monotonic()
        self._statuses: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._stages: Counter[str] = Counter()
        self._bytes = 0
        self._doubts: Counter[int] = Counter()

    def add(self, photograph: FinishedPhotograph) -> None:
        """Counts one finished photograph, and the work on it by stage."""
        row = photograph.row
        self._stages.update(vars(photograph.seconds))
        self._statuses[row.status] += 1
        if row.status != "ok":
            self._reasons[row.reason] += 1
        self._bytes += row.bytes
        if row.doubt is not None:
            self._doubts[round(row.doubt * _DOUBT_STEPS)] += 1

    def _doubt_quartiles(self) -> list[float] | None:
        """Returns the three quartiles; None without a doubt."""
        count = sum(self._doubts.values())
        if not count:
            return None
        steps = sorted(self._doubts)
        ranks = list(itertools.accumulate(self._doubts[step] for step in steps))
        return [steps[bisect.bisect_left(ranks, share * count)] / _DOUBT_STEPS for share in (0.25, 0.5, 0.75)]

    def summary(self, status: State) -> RunSummary:
        """Returns the facts so far."""
        seconds = time.monotonic() - self._started
        done = sum(self._statuses.values())
        return RunSummary(
            run_id=self._job.run_id,
            status=status,
            started_at=self._started_at.isoformat(timespec="seconds"),
            finished_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            seconds=round(seconds, 1),
            input=printable(self._job.config.input),
            output=printable(self._job.config.output),
            format=self._job.config.file_format,
            bundle=self._job.bundle.name,
            bundle_digest=self._job.bundle.digest,
            saturation=self._job.coloring.value,
            photographs=self._plan.photographs,
            other_files=self._job.listing.other_files,
            folders_not_listed=self._job.listing.unlisted,
            finished_before=self._plan.finished,
            failed_before=self._plan.failed_before,
            planned=self._plan.todo.num_rows,
            ok=self._statuses["ok"],
            skipped=self._statuses["skipped"],
            failed=self._statuses["failed"],
            reasons=dict(self._reasons.most_common()),
            bytes_written=self._bytes,
            doubt_quartiles=self._doubt_quartiles(),
            stage_seconds={stage: round(spent, 3) for stage, spent in self._stages.items()},
            images_per_second=round(done / seconds, 1) if seconds else 0.0,
            versions={
                "colorize": __version__,
                "python": platform.python_version(),
                **library_versions(_LIBRARIES),
            },
        )
