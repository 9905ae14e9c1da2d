"""The facts of a run, as ``OUTPUT/_runs/<run id>.json`` and the screen show them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Literal

from colorize_core import storage
from colorize_core.archiving.typed_rows import Float32

FOLDER = "_runs"
_LATEST_RUNS = 16
State = Literal["running", "done", "interrupted", "failed"]


@dataclass(frozen=True, kw_only=True)
class StageSeconds:
    """Seconds of work on one photograph, by stage."""

    read: Float32 = 0.0
    predict: Float32 = 0.0
    finish: Float32 = 0.0

    @property
    def total(self) -> float:
        """The seconds in all stages."""
        return self.read + self.predict + self.finish


@dataclass(frozen=True)
class RunSummary:
    """The facts of one run. The fields are the keys of its JSON file.

    ``doubt_quartiles`` are those of the photographs that were colorized, in units of ab; None if none has a doubt.
    """

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
    saturation: float | str
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
    doubt_quartiles: list[float] | None
    stage_seconds: dict[str, float]
    images_per_second: float
    versions: dict[str, str]

    def is_within(self, max_failed: float) -> bool:
        """Returns True if at most this fraction of the run's photographs, in [0, 1], failed.

        A folder that cannot be listed may hold any number of photographs: one such folder exceeds every limit below 1.
        """
        done = self.ok + self.skipped + self.failed
        return self.failed / max(1, done) <= max_failed and (not self.folders_not_listed or max_failed == 1)

    def write(self, output: str) -> None:
        """Writes ``_runs/<run id>.json``. Raises OSError."""
        content = json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"
        storage.write(storage.join(output, FOLDER, f"{self.run_id}.json"), content.encode())


def last_pace(output: str) -> float | None:
    """Returns the photographs per second of the largest of the latest runs in OUTPUT; None if there was none.

    A small run would not do, since most of its time may be start-up. Raises OSError.
    """
    runs = sorted(storage.children(storage.join(output, FOLDER)), key=lambda entry: entry.name, reverse=True)
    paces = [(0, 0.0)]
    for entry in runs[:_LATEST_RUNS]:
        with suppress(ValueError, KeyError, TypeError):
            facts = json.loads(storage.read(entry.path))
            paces.append((int(facts["ok"]) + int(facts["failed"]), float(facts["images_per_second"])))
    return max(paces)[1] or None
