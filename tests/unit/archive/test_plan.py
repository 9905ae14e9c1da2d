from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from colorize_core.archive import ledger, parts, plan
from colorize_core.archive.ledger import LedgerRow
from colorize_core.archive.names import of_page
from colorize_core.archive.plan import Plan, Request, make_plan
from colorize_core.archive.spool import Spool

Row = dict[str, Any]  # of parts.SCHEMA
Rows = dict[str, LedgerRow]
MakeRow = Callable[..., LedgerRow]
BUNDLE, SETTINGS = "ab" * 32, "format=png"  # those of make_row
MIB = 1 << 20
NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


@pytest.fixture(autouse=True, params=[200_000, 2], ids=["one bucket", "many buckets"])
def rows_per_bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Whatever is planned is planned the same in one piece and in many."""
    monkeypatch.setattr(plan, "_ROWS_PER_BUCKET", request.param)
    return int(request.param)


def _source(name: str, size: int = 1000, folder: str = "/in") -> Row:
    path = f"{folder}/{name}"
    row = {"path": path.encode(), "member": b"", "place": 0, "source": path, "name": name, "size": size}
    return row | {"fingerprint": "7-1"}


def _sources(*names: str) -> list[Row]:
    return [_source(name) for name in sorted(names)]


def _plan(sources: Sequence[Row], done: Rows | Sequence[LedgerRow] = (), **changes: Any) -> Plan:
    there = Spool(parts.SCHEMA)
    for row in random.Random(0).sample(sources, len(sources)):  # noqa: S311 - the order of a listing is no one's business
        there.append(pa.Table.from_pylist([row], parts.SCHEMA))
    rows = list(done.values()) if isinstance(done, dict) else done
    known = [pa.Table.from_pylist([vars(row)], ledger.SCHEMA).select(plan.LEDGER_COLUMNS) for row in rows]
    request = Request(**({"bundle": BUNDLE, "settings": SETTINGS, "suffix": ".png"} | changes))
    return make_plan(there, known, request)


def _todo(made: Plan) -> list[Row]:
    return sorted(made.todo.table().to_pylist(), key=lambda row: row["name"])


def _names(made: Plan) -> dict[str, str]:
    return {row["name"]: row["output"] for row in _todo(made)}


def _carried_out(made: Plan, make_row: MakeRow, **fields: Any) -> Rows:
    """The ledger's rows after a run that did all of its plan."""
    return {
        row["source"]: make_row(row["source"], fingerprint=row["fingerprint"], output=row["output"], **fields)
        for row in _todo(made)
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.jpg", "b/c.tif"], {"a.jpg": "a.png", "b/c.tif": "b/c.png"}),
        (["a.png"], {"a.png": "a.png"}),
        (["a.b.c.jpg"], {"a.b.c.jpg": "a.b.c.png"}),
        (["x/a.jpg", "y/a.jpg"], {"x/a.jpg": "x/a.png", "y/a.jpg": "y/a.png"}),
        (["a.jpg", "a.tif"], {"a.jpg": "a.png", "a.tif": "a.tif.png"}),
        (["a.jpg", "a.tif", "a.tif.png"], {"a.jpg": "a.png", "a.tif": "a.tif.png", "a.tif.png": "a.tif.png.png"}),
        (["A.jpg", "a.jpg"], {"A.jpg": "A.png", "a.jpg": "a.jpg.png"}),
        (["a.JPG", "a.jpeg"], {"a.JPG": "a.png", "a.jpeg": "a.jpeg.png"}),
        (["Album/x.jpg", "album/x.tif"], {"Album/x.jpg": "Album/x.png", "album/x.tif": "album/x.tif.png"}),
        (["STRASSE.jpg", "straße.jpg"], {"STRASSE.jpg": "STRASSE.png", "straße.jpg": "straße.jpg.png"}),
    ],
)
def test_outputs_mirror_the_sources_and_never_clash(names: list[str], expected: dict[str, str]) -> None:
    assert _names(_plan(_sources(*names))) == expected


def test_names_that_differ_in_case_alone_end_in_a_hash() -> None:
    names = _names(_plan(_sources("A.TIF", "a.TIF", "a.tif")))
    assert names["A.TIF"] == "A.png"
    assert names["a.TIF"] == "a.TIF.png"
    assert re.fullmatch(r"a\.tif\.[0-9a-f]{16}\.png", names["a.tif"])


def test_names_in_the_ledger_stay_when_files_are_added(make_row: MakeRow) -> None:
    done = _carried_out(_plan(_sources("m.tif", "a.tif")), make_row)
    assert {row.output for row in done.values()} == {"a.png", "m.png"}
    later = _plan(_sources("a.bmp", "a.tif", "A.jpg", "m.tif", "m.png"), done)
    assert _names(later) == {"A.jpg": "A.jpg.png", "a.bmp": "a.bmp.png", "m.png": "m.png.png"}
    again = _plan(_sources("a.bmp", "a.tif", "A.jpg", "m.tif", "m.png"), done, bundle="cd" * 32)
    assert _names(again) == _names(later) | {"a.tif": "a.png", "m.tif": "m.png"}


def test_the_name_of_a_source_that_is_gone_stays_taken(make_row: MakeRow) -> None:
    """Its result is still in OUTPUT, perhaps the only one: it may come from another INPUT."""
    done = _carried_out(_plan(_sources("a.tif")), make_row)
    assert _names(_plan(_sources("a.jpg"), done)) == {"a.jpg": "a.jpg.png"}
    elsewhere = [_source("a.tif", folder="/other")]
    assert _names(_plan(elsewhere, done)) == {"a.tif": "a.tif.png"}


def test_names_hold_over_many_runs(make_row: MakeRow) -> None:
    rng = random.Random(11)  # noqa: S311
    stems, suffixes = ["a", "A", "b", "x/a", "X/a", "a.tif"], [".jpg", ".JPG", ".tif", ".png"]
    every = [stem + suffix for stem in stems for suffix in suffixes]
    for _ in range(50):
        there: set[str] = set()
        done: Rows = {}
        outputs: dict[str, str] = {}
        for run in range(5):
            there |= set(rng.sample(every, 5))
            made = _plan(_sources(*there), done, bundle=f"model {run}", limit=rng.choice([None, 3]))
            for name, output in _names(made).items():
                assert outputs.setdefault(name, output) == output  # a re-run never renames
            done |= _carried_out(made, make_row, bundle=f"model {run}")
            assert len({output.casefold() for output in outputs.values()}) == len(outputs)


def test_another_format_gets_names_of_its_own(make_row: MakeRow) -> None:
    sources = _sources("a.jpg", "a.tif")
    done = _carried_out(_plan(sources), make_row)
    made = _plan(sources, done, suffix=".webp", settings="format=webp")
    assert _names(made) == {"a.jpg": "a.webp", "a.tif": "a.tif.webp"}
    assert made.outdated == 2


def test_what_is_in_shards_is_done(make_row: MakeRow) -> None:
    sources = _sources("a.jpg", "a.tif")
    done = {s["source"]: make_row(s["source"], output="part-1.parquet", settings="format=parquet") for s in sources}
    assert _plan(sources, done, settings="format=parquet").finished == 2


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
    made = _plan(_sources("a.jpg"), [make_row("/in/a.jpg", **fields)], retry_failed=retry)
    assert (made.todo.num_rows, made.finished, made.failed_before, made.outdated) == expected
    assert _names(made) in ({}, {"a.jpg": "a.png"})


@pytest.mark.parametrize("before", [{"status": "skipped", "output": ""}, {"output": "a.png", "pages": 3}])
def test_what_kept_colors_is_done_by_recolor_alone(make_row: MakeRow, before: dict[str, Any]) -> None:
    rows = [
        make_row("/in/a.jpg", reason="in_color", **before),
        make_row("/in/b.jpg", output="b.png"),
    ]
    plain, recolor = (_plan(_sources("a.jpg", "b.jpg"), rows, recolor=recolor) for recolor in (False, True))
    assert (plain.todo.num_rows, plain.finished, plain.outdated) == (0, 2, 0)
    assert (_names(recolor), recolor.finished, recolor.outdated) == ({"a.jpg": "a.png"}, 1, 0)
    done = [*rows, make_row("/in/a.jpg", output="a.png")]
    assert _plan(_sources("a.jpg", "b.jpg"), done).todo.num_rows == 0


def test_a_mixed_archive_is_counted_whole(make_row: MakeRow) -> None:
    sources = _sources("done.jpg", "failed.jpg", "new.jpg", "old.jpg")
    done = {
        "/in/done.jpg": make_row("/in/done.jpg", output="done.png"),
        "/in/failed.jpg": make_row("/in/failed.jpg", output="", status="failed", reason="damaged"),
        "/in/old.jpg": make_row("/in/old.jpg", output="old.png", fingerprint="6-1"),
        "/in/gone.jpg": make_row("/in/gone.jpg", output="gone.png"),
    }
    made = _plan(sources, done)
    assert _names(made) == {"new.jpg": "new.png", "old.jpg": "old.png"}
    assert (made.finished, made.failed_before, made.outdated) == (1, 1, 1)


@pytest.mark.parametrize(("limit", "planned"), [(None, 5), (9, 5), (5, 5), (2, 2), (0, 0)])
def test_limit(make_row: MakeRow, limit: int | None, planned: int, rows_per_bucket: int) -> None:
    sources = _sources("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "z.jpg")
    done = [make_row(f"/in/{stem}.jpg", output=f"{stem}.png", fingerprint="6-1") for stem in "bcde"]
    done.append(make_row("/in/z.jpg", output="z.png"))
    made = _plan(sources, done, limit=limit)
    names = [row["name"] for row in _todo(made)]
    assert len(names) == planned
    if rows_per_bucket > 6:  # else by bucket, and within each by name
        assert names == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"][:planned]
    assert made.finished == 1
    assert made.outdated == len({"b.jpg", "c.jpg", "d.jpg", "e.jpg"} & set(names))


def test_runs_with_a_limit_come_to_the_end(make_row: MakeRow) -> None:
    sources = _sources(*(f"{i}.{suffix}" for i in range(4) for suffix in ("jpg", "tif")))
    whole, done = _names(_plan(sources)), {}
    in_parts: dict[str, str] = {}
    for _ in range(3):
        made = _plan(sources, done, limit=3)
        in_parts |= _names(made)
        done |= _carried_out(made, make_row)
    assert in_parts == whole
    assert (_plan(sources, done).todo.num_rows, _plan(sources, done).finished) == (0, 8)


def _tasks(sizes: Sequence[int]) -> list[list[str]]:
    sources = [_source(f"{i:03d}.jpg", size) for i, size in enumerate(sizes)]
    made = Plan(Spool(plan.SCHEMA))
    for row in sources:
        made.todo.append(pa.Table.from_pylist([row | {"output": row["name"] + ".png"}], plan.SCHEMA))
    tables = list(made.tasks())
    assert all(table.schema == plan.TASK_SCHEMA for table in tables)
    assert [set(table["task"].to_pylist()) for table in tables] == [{number} for number in range(len(tables))]
    rows = [row for table in tables for row in table.drop_columns("task").to_pylist()]
    assert rows == made.todo.table().to_pylist()
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
        ([16 * MIB, 16 * MIB + 1, 1], [1, 2]),
        ([500 * MIB, 1, 1, 500 * MIB], [1, 2, 1]),  # one that is larger than a task is a task
    ],
)
def test_tasks_are_bounded_in_files_and_bytes(sizes: list[int], expected: list[int]) -> None:
    assert [len(task) for task in _tasks(sizes)] == expected


def test_a_name_outlives_other_formats_and_failures(make_row: MakeRow) -> None:
    rows = [
        make_row("/in/b.tif", output="b.png", finished_at=NOON),
        make_row("/in/b.tif", output="b.jpg", settings="format=jpeg", finished_at=NOON + timedelta(1)),
        make_row("/in/b.tif", output="", status="failed", bundle="cd" * 32, finished_at=NOON + timedelta(2)),
    ]
    made = _plan(_sources("b.jpg", "b.tif"), rows)
    assert _names(made) == {"b.jpg": "b.jpg.png", "b.tif": "b.png"}


def test_the_last_row_of_a_source_counts(make_row: MakeRow) -> None:
    old = make_row("/in/a.jpg", finished_at=NOON, output="a.png")
    new = make_row(
        "/in/a.jpg", finished_at=NOON + timedelta(milliseconds=1), status="failed", reason="damaged", output=""
    )
    for rows in ([old, new], [new, old], [new, old, old, new]):
        made = _plan(_sources("a.jpg"), rows)
        assert (made.todo.num_rows, made.finished, made.failed_before) == (0, 0, 1)


@pytest.mark.parametrize("reason", ["storage", "unreadable", "taken"])
def test_what_failed_through_no_fault_of_its_own_is_tried_again(make_row: MakeRow, reason: str) -> None:
    made = _plan(_sources("a.jpg"), [make_row("/in/a.jpg", status="failed", reason=reason, output="")])
    assert (made.todo.num_rows, made.failed_before, made.outdated) == (1, 0, 0)


@pytest.mark.parametrize("folder", ["a.png", "A.PNG", "a.png/b"])
def test_no_result_is_named_like_a_folder_of_sources(folder: str) -> None:
    """The folder will have results of its own."""
    names = _names(_plan(_sources("a.jpg", f"{folder}/c.jpg", "z.jpg")))
    assert names == {"a.jpg": "a.jpg.png", f"{folder}/c.jpg": f"{folder}/c.png", "z.jpg": "z.png"}


@pytest.mark.parametrize("folder", ["a.png", "A.PNG"])
def test_a_folder_that_comes_later_gives_way_to_a_result(make_row: MakeRow, folder: str) -> None:
    done = _carried_out(_plan(_sources("a.jpg", "z.jpg")), make_row)
    sources = _sources("a.jpg", "z.jpg", f"{folder}/c.jpg", f"{folder}/d/e.jpg", "z/f.jpg")
    names = _names(_plan(sources, done))
    assert set(names) == {f"{folder}/c.jpg", f"{folder}/d/e.jpg", "z/f.jpg"}
    beside = names[f"{folder}/c.jpg"].removesuffix("/c.png")
    assert re.fullmatch(re.escape(folder) + r"\.[0-9a-f]{16}", beside)
    assert names[f"{folder}/d/e.jpg"] == f"{beside}/d/e.png"
    assert names["z/f.jpg"] == "z/f.png"
    again = done | _carried_out(_plan(sources, done), make_row)
    more = _names(_plan([*sources, _source(f"{folder}/g.jpg")], again))
    assert more == {f"{folder}/g.jpg": f"{beside}/g.png"}


def test_names_in_shards_need_no_memory(make_row: MakeRow) -> None:
    """The ledger has the shard, not the name in it."""
    assert _names(_plan(_sources("a.jpg", "b/a.tif"), in_shards=True)) == {
        "a.jpg": "a.jpg.png",
        "b/a.tif": "b/a.tif.png",
    }
    done = [make_row("/in/a.jpg", output="part-1.tar")]
    assert _names(_plan(_sources("a.jpg", "a.tif"), done, in_shards=True)) == {"a.tif": "a.tif.png"}


def test_names_stay_within_what_file_systems_take() -> None:
    """255 bytes, of which an é has two; ten thousand pages, too."""
    long = ["é" * 119 + suffix for suffix in (".jpg", ".tif", ".webp")]
    long += ["x/" + "b" * 251 + ".gif", "y/" + "c" * 240 + ".gif"]
    names = _names(_plan(_sources(*long)))
    assert names[long[0]] == "é" * 119 + ".png"
    assert names[long[4]] == "y/" + "c" * 240 + ".png"
    others = [names[long[1]], names[long[2]]]
    assert all(re.fullmatch(r"é{111}\.[0-9a-f]{16}\.png", name) for name in others), others
    assert re.fullmatch(r"x/b{223}\.[0-9a-f]{16}\.png", names[long[3]])
    assert len(set(names.values())) == 5
    assert all(len(of_page(name, 10_000).split("/")[-1].encode()) <= 255 for name in names.values())


def test_no_photograph_is_called_like_a_page_of_another() -> None:
    names = _names(_plan(_sources("a.tif", "a.page-2.jpg", "a.PAGE-3.jpg", "a.page-x.jpg", "b.page-2/c.jpg")))
    assert names["a.tif"] == "a.png"
    assert [of_page("a.png", number) for number in (1, 2, 13)] == ["a.png", "a.page-2.png", "a.page-13.png"]
    assert (names["a.page-2.jpg"], names["a.PAGE-3.jpg"]) == ("a.page-2.jpg.png", "a.PAGE-3.jpg.png")
    assert (names["a.page-x.jpg"], names["b.page-2/c.jpg"]) == ("a.page-x.png", "b.page-2/c.png")


def test_many_buckets_hold_no_more_than_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_ROWS_PER_BUCKET", 100)
    sizes: list[int] = []
    compare = plan._compare
    monkeypatch.setattr(plan, "_compare", lambda rows, *rest: (sizes.append(rows.num_rows), compare(rows, *rest)))
    made = _plan(_sources(*(f"{i}.jpg" for i in range(1000))))
    assert made.todo.num_rows == sum(sizes) == 1000
    assert len(sizes) == 11
    assert max(sizes) < 200


def test_what_input_names_twice_is_done_once() -> None:
    made = _plan([*_sources("a.jpg", "b.jpg"), *_sources("a.jpg")])
    assert _names(made) == {"a.jpg": "a.png", "b.jpg": "b.png"}
    assert (made.photographs, made.todo.num_rows) == (2, 2)


def test_one_source_by_several_names_is_done_once() -> None:
    there = [_source("a.jpg") | {"name": name} for name in ("in/a.jpg", "a.jpg", "z/a.jpg")]
    made = _plan([*there, *_sources("b.jpg", "y/a.jpg")])  # those by name between them
    assert _names(made) == {"a.jpg": "a.png", "b.jpg": "b.png", "y/a.jpg": "y/a.png"}
    assert (made.photographs, made.todo.num_rows) == (3, 3)


def test_no_result_lies_where_runs_keep_their_own() -> None:
    names = _names(_plan(_sources("_partial/a.jpg", "_Ledger/b.jpg", "x/_runs/c.jpg", "_runs.jpg")))
    assert names["_partial/a.jpg"] == "__partial/a.png"
    assert names["_Ledger/b.jpg"] == "__Ledger/b.png"
    assert (names["x/_runs/c.jpg"], names["_runs.jpg"]) == ("x/_runs/c.png", "_runs.png")


def test_folders_stay_within_what_file_systems_take() -> None:
    """Escaped, a name of other than UTF-8 is four times as long."""
    long = "\\xe9" * 80
    names = _names(_plan(_sources(f"{long}/a.jpg", f"{long}/b.jpg", f"{long}x/a.jpg")))
    folders = {name: output.split("/")[0] for name, output in names.items()}
    assert all(len(folder.encode()) <= 255 for folder in folders.values())
    assert folders[f"{long}/a.jpg"] == folders[f"{long}/b.jpg"] != folders[f"{long}x/a.jpg"]
