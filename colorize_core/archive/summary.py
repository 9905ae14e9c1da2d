"""What a run did: counted while it runs, on screen and in ``OUTPUT/_runs/<run id>.json`` when it ends."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal

from colorize_core import __version__, storage
from colorize_core.errors import printable

if TYPE_CHECKING:
    from colorize_core.archive.config import ArchiveConfig
    from colorize_core.archive.ledger import LedgerRow
    from colorize_core.archive.plan import Plan
    from colorize_core.archive.source import Listing
    from colorize_core.bundle import Bundle

FOLDER = "_runs"
_RUNS_LOOKED_AT = 16
StageSeconds = Mapping[str, float]
State = Literal["running", "done", "interrupted", "failed"]
_VERSIONS = ("keras", "numpy", "onnxruntime", "pillow", "ray", "tensorflow")


@dataclass(frozen=True)
class RunSummary:
    """The facts of one run, as they stand in its JSON file."""

    run_id: str
    status: State
    started_at: str
    finished_at: str
    seconds: float
    input: str
    output: str
    format: str
    bundle: str
    bundle_digest: str
    saturation: float
    photographs: int
    other_files: int
    folders_not_listed: list[str]
    finished_before: int
    failed_before: int
    planned: int
    ok: int
    skipped: int
    failed: int
    reasons: dict[str, int]
    bytes_written: int
    stage_seconds: dict[str, float]
    images_per_second: float
    versions: dict[str, str]

    def is_within(self, max_failed: float) -> bool:
        """Whether no more than this part of the run's photographs, in [0, 1], failed.

        Nobody knows how many photographs are in a folder that cannot be listed: one is too many, unless all may fail.
        """
        done = self.ok + self.skipped + self.failed
        return self.failed / max(1, done) <= max_failed and (not self.folders_not_listed or max_failed == 1)

    def write(self, output: str) -> None:
        """Writes ``_runs/<run id>.json``. Raises OSError."""
        content = json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"
        storage.write(storage.join(output, FOLDER, f"{self.run_id}.json"), content.encode())


class Run:
    """The counters of a run that goes on."""

    def __init__(self, run_id: str, config: ArchiveConfig, bundle: Bundle, listing: Listing, plan: Plan) -> None:
        self.id = run_id
        self._config, self._bundle, self._listing, self._plan = config, bundle, listing, plan
        self._started_at = datetime.now(timezone.utc)
        self._started = time.monotonic()
        self._statuses: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._stages: Counter[str] = Counter()
        self._bytes = 0

    def add(self, row: LedgerRow, seconds: StageSeconds) -> None:
        """Counts one finished photograph, and the work on it by stage."""
        self._stages.update(seconds)
        self._statuses[row.status] += 1
        if row.status != "ok":
            self._reasons[row.reason] += 1
        self._bytes += row.bytes

    def end(self, status: State) -> RunSummary:
        """The facts so far."""
        seconds = time.monotonic() - self._started
        done = sum(self._statuses.values())
        return RunSummary(
            run_id=self.id,
            status=status,
            started_at=self._started_at.isoformat(timespec="seconds"),
            finished_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            seconds=round(seconds, 1),
            input=printable(self._config.input),
            output=printable(self._config.output),
            format=self._config.file_format,
            bundle=self._bundle.name,
            bundle_digest=self._bundle.digest,
            saturation=self._bundle.gain(self._config.saturation),
            photographs=self._plan.photographs,
            other_files=self._listing.others,
            folders_not_listed=self._listing.unlisted,
            finished_before=self._plan.finished,
            failed_before=self._plan.failed_before,
            planned=self._plan.todo.num_rows,
            ok=self._statuses["ok"],
            skipped=self._statuses["skipped"],
            failed=self._statuses["failed"],
            reasons=dict(self._reasons.most_common()),
            bytes_written=self._bytes,
            stage_seconds={stage: round(spent, 3) for stage, spent in self._stages.items()},
            images_per_second=round(done / seconds, 1) if seconds else 0.0,
            versions={
                "colorize": __version__,
                "python": platform.python_version(),
                **{name: importlib.metadata.version(name) for name in _VERSIONS},
            },
        )


def last_pace(output: str) -> float | None:
    """Photographs per second of the largest of the last runs in OUTPUT; None where they did none. Raises OSError.

    In a small one start-up would count for too much.
    """
    runs = sorted(storage.children(storage.join(output, FOLDER)), key=lambda entry: entry.name, reverse=True)
    paces = [(0, 0.0)]
    for entry in runs[:_RUNS_LOOKED_AT]:
        with suppress(ValueError, KeyError, TypeError):
            facts = json.loads(storage.read(entry.path))
            paces.append((int(facts["ok"]) + int(facts["failed"]), float(facts["images_per_second"])))
    return max(paces)[1] or None
