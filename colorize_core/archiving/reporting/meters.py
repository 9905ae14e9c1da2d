"""What operators watch: counters on Ray's Prometheus endpoint, from whichever process does the work.

``rate(ray_colorize_photographs_total[5m])`` is photographs per second.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from colorize_core.archiving.state.ledger import LedgerRow

if TYPE_CHECKING:
    from ray.util.metrics import Counter, Histogram


_SECONDS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]  # upper ends of the histogram


class _Meters(NamedTuple):
    photographs: Counter
    read: Counter
    written: Counter
    seconds: Histogram


@lru_cache(maxsize=1)
def _meters() -> _Meters:
    from ray.util import metrics

    return _Meters(
        metrics.Counter("colorize_photographs_total", "Photographs that were finished.", ("status", "reason")),
        metrics.Counter("colorize_read_bytes_total", "Bytes of photographs that were read."),
        metrics.Counter("colorize_written_bytes_total", "Bytes of results."),
        metrics.Histogram("colorize_photograph_seconds", "Work on one photograph.", _SECONDS),
    )


def count(row: LedgerRow, read: int) -> None:
    """One photograph is finished, of which ``read`` bytes came in."""
    meters = _meters()
    meters.photographs.inc(1, {"status": row.status, "reason": row.reason or "none"})
    meters.seconds.observe(row.seconds)
    if read:
        meters.read.inc(read)
    if row.bytes:
        meters.written.inc(row.bytes)
