"""How long it takes to plan a large archive that is in the ledger already, and one that is all new.

    python -m tests.benchmarks.plan_throughput [--photographs 1000000]

Names as archives have them, 1,000 a folder. The listing is made here; listing a disk takes its own time. Prints the
seconds of each plan and the peak of memory.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from datetime import datetime, timezone

import pyarrow as pa

from colorize_core.archiving.inputs import photographs
from colorize_core.archiving.planning import plan
from colorize_core.archiving.spilled_table import SpilledTable

_AT_ONCE = 1 << 15
_DONE = datetime(2026, 1, 1, tzinfo=timezone.utc)


def main() -> None:
    """Prints three lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--photographs", type=int, default=1_000_000)
    count = parser.parse_args().photographs
    for what, known in (("known already", count), ("all new", 0)):
        listed = listing(count)
        started = time.perf_counter()
        made = plan.make_plan(listed, ledger(known), plan.Request("model", "settings", ".png"))
        tasks = sum(1 for _ in made.tasks())
        seconds = time.perf_counter() - started
        print(f"{count:,} photographs, {what}: {seconds:.1f} s, {made.todo.num_rows:,} to do in {tasks:,} tasks")
    print(f"peak of memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


def names(count: int) -> Iterator[list[str]]:
    """Some at a time."""
    for start in range(0, count, _AT_ONCE):
        yield [f"album{i // 1000:05d}/scan{i:08d}.tif" for i in range(start, min(start + _AT_ONCE, count))]


def listing(count: int) -> SpilledTable:
    """As ``source.list_sources`` gives it."""
    spool = SpilledTable(photographs.SCHEMA)
    for part in names(count):
        paths = [f"/archive/{name}" for name in part]
        columns = {
            "path": [path.encode() for path in paths],
            "member": [b""] * len(part),
            "place": [0] * len(part),
            "source": paths,
            "name": part,
            "size": [2_000_000] * len(part),
            "fingerprint": ["2000000-1767225600000000000"] * len(part),
        }
        spool.append(pa.table(columns, photographs.SCHEMA))
    return spool


def ledger(count: int) -> Iterator[pa.Table]:
    """Rows as ``ledger.scan`` gives them."""
    for part in names(count):
        columns = {
            "source": [f"/archive/{name}" for name in part],
            "fingerprint": ["2000000-1767225600000000000"] * len(part),
            "status": ["ok"] * len(part),
            "reason": [""] * len(part),
            "output": [name.replace(".tif", ".png") for name in part],
            "bundle": ["model"] * len(part),
            "settings": ["settings"] * len(part),
            "finished_at": pa.array([_DONE] * len(part), pa.timestamp("ms", "UTC")),
        }
        yield pa.table(columns)


if __name__ == "__main__":
    main()
