from __future__ import annotations

import pytest

from colorize_core.archive.troubles import Absence


@pytest.mark.parametrize(
    ("photographs", "expected"),
    [(1, 256), (31, 9), (32, 8), (256, 8)],  # of a task; tasks until it is said
)
def test_a_store_is_away_after_many_photographs_in_several_tasks(photographs: int, expected: int) -> None:
    absence = Absence()
    said = [absence.lasts(["storage"] * photographs) for _ in range(expected)]
    assert said == [False] * (expected - 1) + [True]
    assert absence.photographs == photographs * expected


@pytest.mark.parametrize("reason", ["", "unreadable", "damaged"])
def test_one_photograph_that_was_there_begins_the_count_anew(reason: str) -> None:
    absence = Absence()
    lost = ["storage"] * 100
    assert not any(absence.lasts(lost) for _ in range(7))
    assert not absence.lasts([*lost, reason])
    assert not any(absence.lasts(lost) for _ in range(7))
    assert absence.lasts(lost)
