"""Metrics of a run on Ray's Prometheus endpoint, reported by the processes that do the work.

``rate(ray_colorize_photographs_total[5m])`` is photographs per second.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from colorize_core.archiving.state.ledger import LedgerRow

if TYPE_CHECKING:
    from ray.util.metrics import Counter, Histogram


_SECONDS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]  # upper ends of the histogram


class _Metrics(NamedTuple):
    photographs: Counter
    read: Counter
    written: Counter
    seconds: Histogram


@lru_cache(maxsize=1)
def _metrics() -> _Metrics:
    from ray.util import metrics

    return _Metrics(
        metrics.Counter("colorize_photographs_total", "Photographs that were finished.", ("status", "reason")),
        metrics.Counter("colorize_read_bytes_total", "Bytes of photographs that were read."),
        metrics.Counter("colorize_written_bytes_total", "Bytes of results."),
        metrics.Histogram("colorize_photograph_seconds", "Work on one photograph.", _SECONDS),
    )


def count(row: LedgerRow, read: int) -> None:
    """Counts a finished photograph, whose file has ``read`` bytes."""
    found = _metrics()
    found.photographs.inc(1, {"status": row.status, "reason": row.reason or "none"})
    found.seconds.observe(row.seconds)
    if read:
        found.read.inc(read)
    if row.bytes:
        found.written.inc(row.bytes)
