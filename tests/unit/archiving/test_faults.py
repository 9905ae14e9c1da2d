from __future__ import annotations

from pathlib import Path

import pytest

from colorize_core.archiving.faults import FOLDER, OutageDetector, counted_deaths


@pytest.mark.parametrize(
    ("photographs", "expected"),
    [(1, 256), (31, 9), (32, 8), (256, 8)],  # photographs in a task; tasks until an outage is detected
)
def test_a_store_is_away_after_many_photographs_in_several_tasks(photographs: int, expected: int) -> None:
    outage = OutageDetector()
    detected = [outage.is_outage_after(["storage"] * photographs) for _ in range(expected)]
    assert detected == [False] * (expected - 1) + [True]
    assert outage.photographs == photographs * expected


@pytest.mark.parametrize("reason", ["", "unreadable", "damaged"])
def test_one_photograph_that_was_there_begins_the_count_anew(reason: str) -> None:
    outage = OutageDetector()
    lost = ["storage"] * 100
    assert not any(outage.is_outage_after(lost) for _ in range(7))
    assert not outage.is_outage_after([*lost, reason])
    assert not any(outage.is_outage_after(lost) for _ in range(7))
    assert outage.is_outage_after(lost)


def test_deaths_over_a_task_are_counted_by_what_they_leave(tmp_path: Path) -> None:
    for expected in range(3):
        begun = counted_deaths(str(tmp_path), "task")
        assert begun.__enter__() == expected  # and never left, as by a process that is killed
    with counted_deaths(str(tmp_path), "task") as deaths:
        assert deaths == 3
    assert not list((tmp_path / FOLDER).iterdir())
