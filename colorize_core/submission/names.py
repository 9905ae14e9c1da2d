"""Makes names of submitted jobs. Ray accepts each name once."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta, timezone

_TIME = "%Y%m%dT%H%M%SZ"


def slot_id(name: str, every: timedelta, now: datetime) -> str:
    """Returns a job name that is the same for all times within a slot, such as ``nightly-20260102T000000Z``.

    Args:
        name: name of the schedule.
        every: length of a slot. Slots are counted from 1970-01-01, UTC.
        now: a time in the slot, with its time zone.
    """
    seconds = int(now.timestamp() // every.total_seconds() * every.total_seconds())
    return f"{name}-{datetime.fromtimestamp(seconds, timezone.utc):{_TIME}}"


def fresh_id(name: str, now: datetime) -> str:
    """Returns a unique job name, such as ``archive-20260102T030405Z-5f0c9a1b``."""
    return f"{name}-{now.astimezone(timezone.utc):{_TIME}}-{secrets.token_hex(4)}"
