"""Names of submissions, and the lines that start them."""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta, timezone

from colorize_core.submission import shell_command
from colorize_core.submission.names import fresh_id, slot_id


def test_a_slot_has_one_name() -> None:
    day, hour = timedelta(days=1), timedelta(hours=1)
    early = datetime(2026, 1, 2, 0, 0, 0, tzinfo=timezone.utc)
    late = datetime(2026, 1, 2, 23, 59, 59, 999_999, tzinfo=timezone.utc)
    assert slot_id("n", day, early) == slot_id("n", day, late) == "n-20260102T000000Z"
    assert slot_id("n", hour, late) == "n-20260102T230000Z"
    assert slot_id("n", timedelta(minutes=15), late) == "n-20260102T234500Z"
    elsewhere = late.astimezone(timezone(timedelta(hours=9)))
    assert slot_id("n", day, elsewhere) == "n-20260102T000000Z"


def test_without_a_slot_each_name_is_new() -> None:
    now = datetime(2026, 1, 3, 3, 4, 5, tzinfo=timezone(timedelta(hours=9)))
    first, second = fresh_id("n", now), fresh_id("n", now)
    assert first.startswith("n-20260102T180405Z-")
    assert first != second


def test_whatever_the_arguments_are_the_shell_gives_them_back() -> None:
    arguments = ["/data/my scans", "s3://b/c's", "--limit", "3", "$HOME", "a\nb"]
    assert shlex.split(shell_command("jobs.arrive", arguments)) == ["python", "-m", "jobs.arrive", *arguments]
