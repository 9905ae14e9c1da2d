"""Names of submissions: Ray takes each once."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta, timezone

_TIME = "%Y%m%dT%H%M%SZ"


def slot_id(name: str, every: timedelta, now: datetime) -> str:
    """Name of a submission, the same within a slot: ``nightly-20260102T000000Z``.

    Args:
        name: of the schedule.
        every: length of a slot; slots are counted from the beginning of 1970, UTC.
        now: a time in the slot, with its zone.
    """
    seconds = int(now.timestamp() // every.total_seconds() * every.total_seconds())
    return f"{name}-{datetime.fromtimestamp(seconds, timezone.utc):{_TIME}}"


def fresh_id(name: str, now: datetime) -> str:
    """Name of a submission that is like no other: ``archive-20260102T030405Z-5f0c9a1b``."""
    return f"{name}-{now.astimezone(timezone.utc):{_TIME}}-{secrets.token_hex(4)}"
