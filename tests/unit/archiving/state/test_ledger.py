from __future__ import annotations

import dataclasses
import itertools
import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from colorize_core import storage
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.errors import OutputError
from colorize_core.storage import parquet

MakeRow = Callable[..., LedgerRow]
NUMBERS = itertools.count()
NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


def append(output: str, rows: list[LedgerRow]) -> None:
    """Appends rows in a new file, as a task does."""
    ledger.append(output, f"{rows[0].run_id}-{next(NUMBERS):08d}", rows)


def test_rows_have_the_columns_of_the_schema_in_order() -> None:
    assert [field.name for field in dataclasses.fields(LedgerRow)] == ledger.SCHEMA.names


def test_without_a_ledger_nothing_is_done(tmp_path: Path) -> None:
    assert ledger.latest(str(tmp_path)) == {}
    assert ledger.latest(str(tmp_path / "nowhere")) == {}


def test_rows_come_back_as_they_were(tmp_path: Path, make_row: MakeRow) -> None:
    rows = [
        make_row("/in/a.jpg"),
        make_row("s3://bucket/é.tif", status="skipped", reason="in_color", output="", width=0, height=0, bytes=0),
        make_row("/in/b.jpg", status="failed", reason="damaged", message='cut "off"\nhere', bytes=2**40, seconds=0.25),
    ]
    append(str(tmp_path), rows)
    assert ledger.latest(str(tmp_path)) == {row.source: row for row in rows}


def test_times_are_kept_to_the_millisecond(tmp_path: Path, make_row: MakeRow) -> None:
    append(str(tmp_path), [make_row("a", finished_at=NOON + timedelta(microseconds=123_456))])
    assert ledger.latest(str(tmp_path))["a"].finished_at == NOON + timedelta(milliseconds=123)


def test_each_append_is_one_file_of_its_run(tmp_path: Path, make_row: MakeRow) -> None:
    for names in (["a", "b"], ["c"]):
        append(str(tmp_path), [make_row(name, run_id="run-7") for name in names])
    files = sorted(os.listdir(tmp_path / "_ledger"))
    assert len(files) == 2
    assert all(name.startswith("run-7-") and name.endswith(".parquet") for name in files)
    tables = [pq.read_table(tmp_path / "_ledger" / name) for name in files]
    assert sorted(table.num_rows for table in tables) == [1, 2]
    assert all(table.schema.equals(ledger.SCHEMA) for table in tables)


def test_work_that_is_done_again_leaves_its_rows_once(tmp_path: Path, make_row: MakeRow) -> None:
    """Ray runs a task again if its process dies."""
    for when in (NOON, NOON + timedelta(seconds=5)):
        ledger.append(
            str(tmp_path), "run-7-00000003", [make_row("a", finished_at=when), make_row("b", finished_at=when)]
        )
    [table] = ledger.scan(str(tmp_path))
    assert table["source"].to_pylist() == ["a", "b"]
    assert ledger.latest(str(tmp_path))["a"].finished_at == NOON + timedelta(seconds=5)


def test_no_rows_make_no_file(tmp_path: Path) -> None:
    ledger.append(str(tmp_path), "run-7-00000000", [])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("first", [0, 1])
def test_the_last_row_of_a_source_counts(tmp_path: Path, make_row: MakeRow, first: int) -> None:
    """The newest time decides, not the name of the file: a run with a later name may have ended earlier."""
    old = make_row("a", status="failed", reason="storage", output="", finished_at=NOON, run_id="zzz")
    new = make_row("a", status="ok", finished_at=NOON + timedelta(milliseconds=1), run_id="aaa")
    for row in (old, new) if first == 0 else (new, old):
        append(str(tmp_path), [row, make_row("b", finished_at=NOON)])
    done = ledger.latest(str(tmp_path))
    assert done["a"] == new
    assert set(done) == {"a", "b"}


def test_foreign_files_are_left_alone(tmp_path: Path, make_row: MakeRow) -> None:
    append(str(tmp_path), [make_row("a")])
    (tmp_path / "_ledger" / "README.txt").write_text("hands off")
    (tmp_path / "_ledger" / f".{'0' * 32}.partial").write_bytes(b"PAR1")
    assert set(ledger.latest(str(tmp_path))) == {"a"}


def test_a_ledger_in_an_object_store(make_row: MakeRow) -> None:
    output = "memory://test-ledger/out"
    append(output, [make_row("a")])
    assert ledger.latest(output) == {"a": make_row("a")}
    storage.remove("memory://test-ledger")


def test_a_damaged_file_is_named(tmp_path: Path, make_row: MakeRow) -> None:
    append(str(tmp_path), [make_row("a")])
    [path] = (tmp_path / "_ledger").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(OutputError, match=re.escape(str(path))):
        ledger.latest(str(tmp_path))


def _small_files(output: str, make_row: MakeRow, count: int) -> None:
    for i in range(count):
        append(output, [make_row(f"{i}-{j}", finished_at=NOON + timedelta(seconds=i)) for j in range(3)])


def test_a_few_files_stay_as_they_are(tmp_path: Path, make_row: MakeRow) -> None:
    _small_files(str(tmp_path), make_row, 32)
    files = sorted(os.listdir(tmp_path / "_ledger"))
    assert ledger.compact(str(tmp_path)) == 0
    assert sorted(os.listdir(tmp_path / "_ledger")) == files
    assert ledger.compact(str(tmp_path / "nowhere")) == 0


def test_many_small_files_become_one_with_the_same_rows(tmp_path: Path, make_row: MakeRow) -> None:
    _small_files(str(tmp_path), make_row, 40)
    (tmp_path / "_ledger" / "README.txt").write_text("hands off")
    before = ledger.latest(str(tmp_path))
    assert ledger.compact(str(tmp_path)) == 40
    readme, merged = sorted(os.listdir(tmp_path / "_ledger"))
    assert readme == "README.txt"
    assert pq.read_table(tmp_path / "_ledger" / merged).num_rows == 120
    assert pq.read_schema(tmp_path / "_ledger" / merged).equals(ledger.SCHEMA)
    assert ledger.latest(str(tmp_path)) == before
    assert len(before) == 120


def test_large_files_are_left_and_merged_ones_are_bounded(
    tmp_path: Path, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    _small_files(str(tmp_path), make_row, 40)
    table = pa.concat_tables(ledger.scan(str(tmp_path)))
    (tmp_path / "_ledger" / "large.parquet").write_bytes(parquet.to_parquet(table))
    monkeypatch.setattr(ledger, "_SMALL", (tmp_path / "_ledger" / "large.parquet").stat().st_size)
    monkeypatch.setattr(ledger, "_MERGED", table.nbytes // 4)
    assert ledger.compact(str(tmp_path)) == 40
    sizes = [pq.read_metadata(path).num_rows for path in (tmp_path / "_ledger").iterdir()]
    assert sum(sizes) == 240
    assert 4 <= len(sizes) <= 6
    assert len(ledger.latest(str(tmp_path))) == 120


def test_killed_while_it_compacts_nothing_is_lost(
    tmp_path: Path, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    _small_files(str(tmp_path), make_row, 40)
    before = ledger.latest(str(tmp_path))
    remove, removed = storage.remove_if_there, 0

    def killed(path: str) -> None:
        nonlocal removed
        removed += 1
        if removed > 10:
            raise KeyboardInterrupt
        remove(path)

    monkeypatch.setattr(storage, "remove_if_there", killed)
    with pytest.raises(KeyboardInterrupt):
        ledger.compact(str(tmp_path))
    monkeypatch.undo()
    assert len(os.listdir(tmp_path / "_ledger")) == 31
    assert ledger.latest(str(tmp_path)) == before


def test_only_the_rows_asked_for(tmp_path: Path, make_row: MakeRow) -> None:
    _small_files(str(tmp_path), make_row, 3)
    assert set(ledger.latest(str(tmp_path), ["0-1", "2-2", "gone"])) == {"0-1", "2-2"}
    assert [table.schema.names for table in ledger.scan(str(tmp_path), ["output", "source"])] == [
        ["output", "source"]
    ] * 3
