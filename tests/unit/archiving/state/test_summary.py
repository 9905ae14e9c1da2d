"""The fraction of a run's photographs that may fail."""

from __future__ import annotations

from dataclasses import fields

import pytest

from colorize_core.archiving.state.summary import RunSummary


def summary(ok: int, failed: int, not_listed: tuple[str, ...] = ()) -> RunSummary:
    """Returns a summary with the given counts; its other fields are None."""
    counts = {"ok": ok, "failed": failed, "skipped": 0, "folders_not_listed": list(not_listed)}
    return RunSummary(**{field.name: counts.get(field.name) for field in fields(RunSummary)})  # type: ignore[arg-type]


@pytest.mark.parametrize("failed", range(101))
def test_exactly_so_many_of_a_hundred_may_fail(failed: int) -> None:
    run = summary(100 - failed, failed)
    assert run.is_within(float(f"{failed / 100:.2f}"))
    assert failed == 0 or not run.is_within(float(f"{failed / 100 - 0.01:.2f}"))


def test_nothing_at_all_is_within_any_part() -> None:
    assert summary(0, 0).is_within(0.0)


def test_a_folder_that_cannot_be_listed_is_one_too_many_unless_all_may_fail() -> None:
    assert not summary(10, 0, not_listed=("scans/locked",)).is_within(0.99)
    assert summary(10, 0, not_listed=("scans/locked",)).is_within(1.0)
