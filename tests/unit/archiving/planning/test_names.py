from __future__ import annotations

import random
import re
from datetime import datetime, timedelta, timezone

import pytest

from colorize_core.archiving.planning.names import of_page
from tests.support.plans import MakeRow, Rows, carried_out, listed, listed_file, names_of, plan_of

pytestmark = pytest.mark.usefixtures("rows_per_partition")
NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


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
        (
            ["Album/x.jpg", "album/x.tif"],
            {"Album/x.jpg": "Album/x.png", "album/x.tif": "album/x.tif.png"},
        ),
        (["e\u0301.jpg", "\xe9.jpg"], {"e\u0301.jpg": "e\u0301.png", "\xe9.jpg": "\xe9.jpg.png"}),
        (["STRASSE.jpg", "straße.jpg"], {"STRASSE.jpg": "STRASSE.png", "straße.jpg": "straße.jpg.png"}),
    ],
)
def test_outputs_mirror_the_sources_and_never_clash(names: list[str], expected: dict[str, str]) -> None:
    assert names_of(plan_of(listed(*names))) == expected


def test_names_that_differ_in_case_alone_end_in_a_hash() -> None:
    names = names_of(plan_of(listed("A.TIF", "a.TIF", "a.tif")))
    assert names["A.TIF"] == "A.png"
    assert names["a.TIF"] == "a.TIF.png"
    assert re.fullmatch(r"a\.tif\.[0-9a-f]{16}\.png", names["a.tif"])


def test_names_in_the_ledger_stay_when_files_are_added(make_row: MakeRow) -> None:
    done = carried_out(plan_of(listed("m.tif", "a.tif")), make_row)
    assert {row.output for row in done.values()} == {"a.png", "m.png"}
    later = plan_of(listed("a.bmp", "a.tif", "A.jpg", "m.tif", "m.png"), done)
    assert names_of(later) == {"A.jpg": "A.jpg.png", "a.bmp": "a.bmp.png", "m.png": "m.png.png"}
    again = plan_of(listed("a.bmp", "a.tif", "A.jpg", "m.tif", "m.png"), done, bundle="cd" * 32)
    assert names_of(again) == names_of(later) | {"a.tif": "a.png", "m.tif": "m.png"}


def test_the_name_of_a_source_that_is_gone_stays_taken(make_row: MakeRow) -> None:
    """The result is still in OUTPUT, and may be the only copy, since its source may be in another INPUT."""
    done = carried_out(plan_of(listed("a.tif")), make_row)
    assert names_of(plan_of(listed("a.jpg"), done)) == {"a.jpg": "a.jpg.png"}
    elsewhere = [listed_file("a.tif", folder="/other")]
    assert names_of(plan_of(elsewhere, done)) == {"a.tif": "a.tif.png"}


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
            new_plan = plan_of(listed(*there), done, bundle=f"model {run}", limit=rng.choice([None, 3]))
            for name, output in names_of(new_plan).items():
                assert outputs.setdefault(name, output) == output  # a re-run never renames
            done |= carried_out(new_plan, make_row, bundle=f"model {run}")
            assert len({output.casefold() for output in outputs.values()}) == len(outputs)


def test_another_format_gets_names_of_its_own(make_row: MakeRow) -> None:
    sources = listed("a.jpg", "a.tif")
    done = carried_out(plan_of(sources), make_row)
    new_plan = plan_of(sources, done, suffix=".webp", settings="format=webp")
    assert names_of(new_plan) == {"a.jpg": "a.webp", "a.tif": "a.tif.webp"}
    assert new_plan.outdated == 2


def test_a_name_outlives_other_formats_and_failures(make_row: MakeRow) -> None:
    rows = [
        make_row("/in/b.tif", output="b.png", finished_at=NOON),
        make_row("/in/b.tif", output="b.jpg", settings="format=jpeg", finished_at=NOON + timedelta(1)),
        make_row("/in/b.tif", output="", status="failed", bundle="cd" * 32, finished_at=NOON + timedelta(2)),
    ]
    new_plan = plan_of(listed("b.jpg", "b.tif"), rows)
    assert names_of(new_plan) == {"b.jpg": "b.jpg.png", "b.tif": "b.png"}


@pytest.mark.parametrize("folder", ["a.png", "A.PNG", "a.png/b"])
def test_no_result_is_named_like_a_folder_of_sources(folder: str) -> None:
    """The results of the photographs in the folder need the name."""
    names = names_of(plan_of(listed("a.jpg", f"{folder}/c.jpg", "z.jpg")))
    assert names == {"a.jpg": "a.jpg.png", f"{folder}/c.jpg": f"{folder}/c.png", "z.jpg": "z.png"}


@pytest.mark.parametrize("folder", ["a.png", "A.PNG"])
def test_a_folder_that_comes_later_gives_way_to_a_result(make_row: MakeRow, folder: str) -> None:
    done = carried_out(plan_of(listed("a.jpg", "z.jpg")), make_row)
    sources = listed("a.jpg", "z.jpg", f"{folder}/c.jpg", f"{folder}/d/e.jpg", "z/f.jpg")
    names = names_of(plan_of(sources, done))
    assert set(names) == {f"{folder}/c.jpg", f"{folder}/d/e.jpg", "z/f.jpg"}
    beside = names[f"{folder}/c.jpg"].removesuffix("/c.png")
    assert re.fullmatch(re.escape(folder) + r"\.[0-9a-f]{16}", beside)
    assert names[f"{folder}/d/e.jpg"] == f"{beside}/d/e.png"
    assert names["z/f.jpg"] == "z/f.png"
    again = done | carried_out(plan_of(sources, done), make_row)
    more = names_of(plan_of([*sources, listed_file(f"{folder}/g.jpg")], again))
    assert more == {f"{folder}/g.jpg": f"{beside}/g.png"}


def test_names_in_shards_need_no_memory(make_row: MakeRow) -> None:
    """The ledger has the name of the shard, but not the name of the photograph in the shard."""
    assert names_of(plan_of(listed("a.jpg", "b/a.tif"), in_shards=True)) == {
        "a.jpg": "a.jpg.png",
        "b/a.tif": "b/a.tif.png",
    }
    done = [make_row("/in/a.jpg", output="part-1.tar")]
    assert names_of(plan_of(listed("a.jpg", "a.tif"), done, in_shards=True)) == {"a.tif": "a.tif.png"}


def test_names_stay_within_what_file_systems_take() -> None:
    """The limit is 255 bytes, also with the suffix of page 10,000; an é has two bytes."""
    long = ["é" * 119 + suffix for suffix in (".jpg", ".tif", ".webp")]
    long += ["x/" + "b" * 251 + ".gif", "y/" + "c" * 240 + ".gif"]
    names = names_of(plan_of(listed(*long)))
    assert names[long[0]] == "é" * 119 + ".png"
    assert names[long[4]] == "y/" + "c" * 240 + ".png"
    others = [names[long[1]], names[long[2]]]
    assert all(re.fullmatch(r"é{111}\.[0-9a-f]{16}\.png", name) for name in others), others
    assert re.fullmatch(r"x/b{223}\.[0-9a-f]{16}\.png", names[long[3]])
    assert len(set(names.values())) == 5
    assert all(len(of_page(name, 10_000).split("/")[-1].encode()) <= 255 for name in names.values())


def test_no_photograph_is_called_like_a_page_of_another() -> None:
    names = names_of(plan_of(listed("a.tif", "a.page-2.jpg", "a.PAGE-3.jpg", "a.page-x.jpg", "b.page-2/c.jpg")))
    assert names["a.tif"] == "a.png"
    assert [of_page("a.png", number) for number in (1, 2, 13)] == ["a.png", "a.page-2.png", "a.page-13.png"]
    assert (names["a.page-2.jpg"], names["a.PAGE-3.jpg"]) == ("a.page-2.jpg.png", "a.PAGE-3.jpg.png")
    assert (names["a.page-x.jpg"], names["b.page-2/c.jpg"]) == ("a.page-x.png", "b.page-2/c.png")


def test_no_result_lies_where_runs_keep_their_own() -> None:
    names = names_of(plan_of(listed("_partial/a.jpg", "_Ledger/b.jpg", "x/_runs/c.jpg", "_runs.jpg")))
    assert names["_partial/a.jpg"] == "__partial/a.png"
    assert names["_Ledger/b.jpg"] == "__Ledger/b.png"
    assert (names["x/_runs/c.jpg"], names["_runs.jpg"]) == ("x/_runs/c.png", "_runs.png")


def test_folders_stay_within_what_file_systems_take() -> None:
    """Bytes that are not UTF-8 are escaped, which makes a name four times as long."""
    long = "\\xe9" * 80
    names = names_of(plan_of(listed(f"{long}/a.jpg", f"{long}/b.jpg", f"{long}x/a.jpg")))
    folders = {name: output.split("/")[0] for name, output in names.items()}
    assert all(len(folder.encode()) <= 255 for folder in folders.values())
    assert folders[f"{long}/a.jpg"] == folders[f"{long}/b.jpg"] != folders[f"{long}x/a.jpg"]
