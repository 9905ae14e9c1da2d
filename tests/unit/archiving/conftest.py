from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from colorize_core.archiving.planning import plan
from colorize_core.archiving.state.ledger import LedgerRow


@pytest.fixture(scope="session")
def make_row() -> Callable[..., LedgerRow]:
    """Returns a function that makes the ledger's row of a colorized photograph, with the given fields changed."""

    def make(source: str, **fields: Any) -> LedgerRow:
        plain: dict[str, Any] = {
            "source": source,
            "fingerprint": "7-1",
            "content": "",
            "status": "ok",
            "reason": "",
            "message": "",
            "output": "a.png",
            "width": 640,
            "height": 480,
            "pages": 1,
            "colorfulness": 20.0,
            "bytes": 12345,
            "bundle": "ab" * 32,
            "settings": "format=png",
            "run_id": "20260102T030405Z-abcdef",
            "pictures": "",
            "seconds": 0.5,
            "finished_at": datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=timezone.utc),
        }
        return LedgerRow(**(plain | fields))

    return make


@pytest.fixture(params=[200_000, 2], ids=["one partition", "many partitions"])
def rows_per_partition(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Runs a test with one partition and with many. Both must give the same plan."""
    monkeypatch.setattr(plan, "_ROWS_PER_PARTITION", request.param)
    return int(request.param)
