from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from colorize_core.archive import plan
from colorize_core.archive.ledger import Ledger, LedgerRow
from colorize_core.archive.plan import Plan, make_plan
from colorize_core.archive.source import Source

Rows = dict[str, LedgerRow]
MakeRow = Callable[..., LedgerRow]
BUNDLE, SETTINGS = "ab" * 32, "format=png"  # those of make_row
MIB = 1 << 20


def _sources(*names: str, size: int = 1000) -> list[Source]:
    return [Source(f"/in/{name}", f"/in/{name}", name, size, "7-1") for name in sorted(names)]


def _plan(sources: Sequence[Source], done: Rows | None = None, **changes: Any) -> Plan:
    made = Ledger(list((done or {}).values()))
    return make_plan(sources, made, **({"bundle": BUNDLE, "settings": SETTINGS, "suffix": ".png"} | changes))


def _names(made: Plan) -> dict[str, str]:
    return {source.name: output for source, output in made.todo}


def _carried_out(made: Plan, make_row: MakeRow, **fields: Any) -> Rows:
    """The ledger's rows after a run that did all of its plan."""
    return {
        source.uri: make_row(source.uri, fingerprint=source.fingerprint, output=output, **fields)
        for source, output in made.todo
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
    elsewhere = [Source("/other/a.tif", "/other/a.tif", "a.tif", 1000, "7-1")]
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


def test_rows_of_shards_have_no_name(make_row: MakeRow) -> None:
    sources = _sources("a.jpg", "a.tif")
    made = _plan(sources, suffix="", settings="format=parquet")
    assert _names(made) == {"a.jpg": "", "a.tif": ""}
    done = {s.uri: make_row(s.uri, output="part-1.parquet", settings="format=parquet") for s in sources}
    assert _plan(sources, done, suffix="", settings="format=parquet").finished == 2


@pytest.mark.parametrize(
    ("fields", "retry", "expected"),
    [
        # what the ledger says, --retry-failed: (to do, finished, failed before, outdated)
        ({}, False, (0, 1, 0, 0)),
        ({}, True, (0, 1, 0, 0)),
        ({"status": "skipped"}, True, (0, 1, 0, 0)),
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
    [source] = _sources("a.jpg")
    made = _plan([source], {source.uri: make_row(source.uri, **fields)}, retry_failed=retry)
    assert (len(made.todo), made.finished, made.failed_before, made.outdated) == expected
    assert _names(made) in ({}, {"a.jpg": "a.png"})


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
def test_limit(make_row: MakeRow, limit: int | None, planned: int) -> None:
    sources = _sources("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "z.jpg")
    done = {s.uri: make_row(s.uri, output=f"{s.name[0]}.png", fingerprint="6-1") for s in sources[1:5]}
    done["/in/z.jpg"] = make_row("/in/z.jpg", output="z.png")
    made = _plan(sources, done, limit=limit)
    assert [source.name for source, _ in made.todo] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"][:planned]
    assert made.finished == 1
    assert made.outdated == max(0, planned - 1)  # of those to do: all but the first


def test_runs_with_a_limit_come_to_the_end(make_row: MakeRow) -> None:
    sources = _sources(*(f"{i}.{suffix}" for i in range(4) for suffix in ("jpg", "tif")))
    whole, done = _names(_plan(sources)), {}
    in_parts: dict[str, str] = {}
    for _ in range(3):
        made = _plan(sources, done, limit=3)
        in_parts |= _names(made)
        done |= _carried_out(made, make_row)
    assert in_parts == whole
    assert (_plan(sources, done).todo, _plan(sources, done).finished) == ([], 8)


def _tasks(sizes: Sequence[int]) -> list[list[str]]:
    sources = [
        Source(path := f"/in/{i:03d}.jpg", path, f"{i:03d}.jpg", size, f"{size}-1") for i, size in enumerate(sizes)
    ]
    tables = list(_plan(sources).tasks())
    assert all(table.schema == plan.SCHEMA for table in tables)
    rows = [row for table in tables for row in table.to_pylist()]
    assert rows == [
        {
            "path": s.path.encode(),
            "source": s.uri,
            "fingerprint": s.fingerprint,
            "output": s.name.replace("jpg", "png"),
        }
        for s in sources
    ]
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
        make_row("/in/b.tif", output="b.png"),
        make_row("/in/b.tif", output="b.jpg", settings="format=jpeg"),
        make_row("/in/b.tif", output="", status="failed", reason="storage", bundle="cd" * 32),
    ]
    made = make_plan(_sources("b.jpg", "b.tif"), Ledger(rows), bundle=BUNDLE, settings=SETTINGS, suffix=".png")
    assert _names(made) == {"b.jpg": "b.jpg.png", "b.tif": "b.png"}
