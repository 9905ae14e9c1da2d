from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from colorize_core.archiving.planning import plan
from colorize_core.archiving.planning.plan import Plan
from colorize_core.archiving.spilled_table import SpilledTable
from tests.support.plans import MakeRow, carried_out, listed, listed_file, names_of, plan_of, todo_of

pytestmark = pytest.mark.usefixtures("rows_per_partition")
MIB = 1 << 20
NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


def test_what_is_in_shards_is_done(make_row: MakeRow) -> None:
    sources = listed("a.jpg", "a.tif")
    done = {s["source"]: make_row(s["source"], output="part-1.parquet", settings="format=parquet") for s in sources}
    assert plan_of(sources, done, settings="format=parquet").finished == 2


@pytest.mark.parametrize(
    ("fields", "retry", "expected"),
    [
        # what the ledger says, --retry-failed: (to do, finished, failed before, outdated)
        ({}, False, (0, 1, 0, 0)),
        ({}, True, (0, 1, 0, 0)),
        ({"status": "skipped", "reason": "in_color"}, True, (0, 1, 0, 0)),
        ({"status": "failed", "output": ""}, False, (0, 0, 1, 0)),
        ({"status": "failed", "output": ""}, True, (1, 0, 0, 0)),
        ({"fingerprint": "8-1"}, False, (1, 0, 0, 1)),
        ({"bundle": "cd" * 32}, False, (1, 0, 0, 1)),
        ({"settings": "format=jpeg"}, False, (1, 0, 0, 1)),
        ({"status": "failed", "output": "", "fingerprint": "8-1"}, False, (1, 0, 0, 1)),
        ({"status": "failed", "output": "", "bundle": "cd" * 32}, True, (1, 0, 0, 1)),
    ],
)
def test_what_is_left_to_do(
    make_row: MakeRow, fields: dict[str, Any], retry: bool, expected: tuple[int, int, int, int]
) -> None:
    new_plan = plan_of(listed("a.jpg"), [make_row("/in/a.jpg", **fields)], retry_failed=retry)
    assert (new_plan.todo.num_rows, new_plan.finished, new_plan.failed_before, new_plan.outdated) == expected
    assert names_of(new_plan) in ({}, {"a.jpg": "a.png"})


@pytest.mark.parametrize("before", [{"status": "skipped", "output": ""}, {"output": "a.png", "pages": 3}])
def test_what_kept_colors_is_done_by_recolor_alone(make_row: MakeRow, before: dict[str, Any]) -> None:
    rows = [
        make_row("/in/a.jpg", reason="in_color", **before),
        make_row("/in/b.jpg", output="b.png"),
    ]
    plain, recolor = (plan_of(listed("a.jpg", "b.jpg"), rows, recolor=recolor) for recolor in (False, True))
    assert (plain.todo.num_rows, plain.finished, plain.outdated) == (0, 2, 0)
    assert (names_of(recolor), recolor.finished, recolor.outdated) == ({"a.jpg": "a.png"}, 1, 0)
    done = [*rows, make_row("/in/a.jpg", output="a.png")]
    assert plan_of(listed("a.jpg", "b.jpg"), done).todo.num_rows == 0


def test_a_mixed_archive_is_counted_whole(make_row: MakeRow) -> None:
    sources = listed("done.jpg", "failed.jpg", "new.jpg", "old.jpg")
    done = {
        "/in/done.jpg": make_row("/in/done.jpg", output="done.png"),
        "/in/failed.jpg": make_row("/in/failed.jpg", output="", status="failed", reason="damaged"),
        "/in/old.jpg": make_row("/in/old.jpg", output="old.png", fingerprint="6-1"),
        "/in/gone.jpg": make_row("/in/gone.jpg", output="gone.png"),
    }
    new_plan = plan_of(sources, done)
    assert names_of(new_plan) == {"new.jpg": "new.png", "old.jpg": "old.png"}
    assert (new_plan.finished, new_plan.failed_before, new_plan.outdated) == (1, 1, 1)


@pytest.mark.parametrize(("limit", "planned"), [(None, 5), (9, 5), (5, 5), (2, 2), (0, 0)])
def test_limit(make_row: MakeRow, limit: int | None, planned: int, rows_per_partition: int) -> None:
    sources = listed("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "z.jpg")
    done = [make_row(f"/in/{stem}.jpg", output=f"{stem}.png", fingerprint="6-1") for stem in "bcde"]
    done.append(make_row("/in/z.jpg", output="z.png"))
    new_plan = plan_of(sources, done, limit=limit)
    names = [row["name"] for row in todo_of(new_plan)]
    assert len(names) == planned
    if rows_per_partition > 6:  # else by bucket, and within each by name
        assert names == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"][:planned]
    assert new_plan.finished == 1
    assert new_plan.outdated == len({"b.jpg", "c.jpg", "d.jpg", "e.jpg"} & set(names))


def test_runs_with_a_limit_come_to_the_end(make_row: MakeRow) -> None:
    sources = listed(*(f"{i}.{suffix}" for i in range(4) for suffix in ("jpg", "tif")))
    whole, done = names_of(plan_of(sources)), {}
    in_parts: dict[str, str] = {}
    for _ in range(3):
        new_plan = plan_of(sources, done, limit=3)
        in_parts |= names_of(new_plan)
        done |= carried_out(new_plan, make_row)
    assert in_parts == whole
    assert (plan_of(sources, done).todo.num_rows, plan_of(sources, done).finished) == (0, 8)


@pytest.mark.parametrize(
    ("photographs", "expected"), [(1, 32), (65_536, 32), (65_537, 33), (200_000, 98), (524_288, 256), (10**8, 256)]
)
def test_of_many_photographs_a_task_has_more(photographs: int, expected: int) -> None:
    todo = SpilledTable(plan.SCHEMA)
    todo.num_rows = photographs
    assert Plan(todo).files_per_task == expected


def test_as_many_tasks_as_have_so_many_photographs() -> None:
    new_plan = Plan(SpilledTable(plan.SCHEMA))
    for i, size in enumerate([1000] * 40 + [20 * MIB] * 3):
        row = listed_file(f"{i}.jpg", size) | {"output": f"{i}.png"}
        new_plan.todo.append(pa.Table.from_pylist([row], plan.SCHEMA))
    assert [new_plan.tasks_of(photographs) for photographs in (31, 32, 39, 40, 41, 43, 44)] == [0, 1, 1, 2, 3, 5, 5]


def _tasks(sizes: Sequence[int]) -> list[list[str]]:
    sources = [listed_file(f"{i:03d}.jpg", size) for i, size in enumerate(sizes)]
    new_plan = Plan(SpilledTable(plan.SCHEMA))
    for row in sources:
        new_plan.todo.append(pa.Table.from_pylist([row | {"output": row["name"] + ".png"}], plan.SCHEMA))
    tables = list(new_plan.tasks())
    assert all(table.schema == plan.TASK_SCHEMA for table in tables)
    assert [set(table["task"].to_pylist()) for table in tables] == [{number} for number in range(len(tables))]
    rows = [row for table in tables for row in table.drop_columns("task").to_pylist()]
    assert rows == new_plan.todo.table().to_pylist()
    return [table["source"].to_pylist() for table in tables]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([1], [1]),
        ([1000] * 32, [32]),
        ([1000] * 70, [32, 32, 6]),
        ([0] * 33, [32, 1]),
        ([20 * MIB] * 3, [1, 1, 1]),
        ([16 * MIB] * 4, [2, 2]),  # 32 MiB to the byte
        ([1, 16 * MIB, 16 * MIB + 1, 1, 0], [2, 1, 2]),  # nothing beside the large one
        ([500 * MIB, 1, 1, 500 * MIB], [1, 2, 1]),  # one that is larger than a task is a task
    ],
)
def test_tasks_are_bounded_in_files_and_bytes(sizes: list[int], expected: list[int]) -> None:
    assert [len(task) for task in _tasks(sizes)] == expected


def test_the_last_row_of_a_source_counts(make_row: MakeRow) -> None:
    old = make_row("/in/a.jpg", finished_at=NOON, output="a.png")
    new = make_row(
        "/in/a.jpg", finished_at=NOON + timedelta(milliseconds=1), status="failed", reason="damaged", output=""
    )
    for rows in ([old, new], [new, old], [new, old, old, new]):
        new_plan = plan_of(listed("a.jpg"), rows)
        assert (new_plan.todo.num_rows, new_plan.finished, new_plan.failed_before) == (0, 0, 1)


@pytest.mark.parametrize("reason", ["storage", "unreadable", "taken"])
def test_what_failed_through_no_fault_of_its_own_is_tried_again(make_row: MakeRow, reason: str) -> None:
    new_plan = plan_of(listed("a.jpg"), [make_row("/in/a.jpg", status="failed", reason=reason, output="")])
    assert (new_plan.todo.num_rows, new_plan.failed_before, new_plan.outdated) == (1, 0, 0)


def test_many_buckets_hold_no_more_than_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_ROWS_PER_PARTITION", 100)
    sizes: list[int] = []
    compare = plan._compare
    monkeypatch.setattr(plan, "_compare", lambda rows, *rest: (sizes.append(rows.num_rows), compare(rows, *rest)))
    new_plan = plan_of(listed(*(f"{i}.jpg" for i in range(1000))))
    assert new_plan.todo.num_rows == sum(sizes) == 1000
    assert len(sizes) == 11
    assert max(sizes) < 200


def test_what_input_names_twice_is_done_once() -> None:
    new_plan = plan_of([*listed("a.jpg", "b.jpg"), *listed("a.jpg")])
    assert names_of(new_plan) == {"a.jpg": "a.png", "b.jpg": "b.png"}
    assert (new_plan.photographs, new_plan.todo.num_rows) == (2, 2)


def test_one_source_by_several_names_is_done_once() -> None:
    there = [listed_file("a.jpg") | {"name": name} for name in ("in/a.jpg", "a.jpg", "z/a.jpg")]
    new_plan = plan_of([*there, *listed("b.jpg", "y/a.jpg")])  # those by name between them
    assert names_of(new_plan) == {"a.jpg": "a.png", "b.jpg": "b.png", "y/a.jpg": "y/a.png"}
    assert (new_plan.photographs, new_plan.todo.num_rows) == (3, 3)
