from __future__ import annotations

import dataclasses
import io
import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from colorize_core import storage
from colorize_core.archive import ledger
from colorize_core.archive.ledger import LedgerRow
from colorize_core.errors import OutputError

MakeRow = Callable[..., LedgerRow]
NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


def test_rows_have_the_columns_of_the_schema_in_order() -> None:
    assert [field.name for field in dataclasses.fields(LedgerRow)] == ledger.SCHEMA.names


def test_without_a_ledger_nothing_is_done(tmp_path: Path) -> None:
    assert ledger.read(str(tmp_path)).latest == {}
    assert ledger.read(str(tmp_path / "nowhere")).latest == {}


def test_rows_come_back_as_they_were(tmp_path: Path, make_row: MakeRow) -> None:
    rows = [
        make_row("/in/a.jpg"),
        make_row("s3://bucket/é.tif", status="skipped", reason="in_color", output="", width=0, height=0, bytes=0),
        make_row("/in/b.jpg", status="failed", reason="damaged", message='cut "off"\nhere', bytes=2**40, seconds=0.25),
    ]
    ledger.append(str(tmp_path), rows)
    assert ledger.read(str(tmp_path)).latest == {row.source: row for row in rows}


def test_times_are_kept_to_the_millisecond(tmp_path: Path, make_row: MakeRow) -> None:
    ledger.append(str(tmp_path), [make_row("a", finished_at=NOON + timedelta(microseconds=123_456))])
    assert ledger.read(str(tmp_path)).latest["a"].finished_at == NOON + timedelta(milliseconds=123)


def test_each_append_is_one_file_of_its_run(tmp_path: Path, make_row: MakeRow) -> None:
    for names in (["a", "b"], ["c"]):
        ledger.append(str(tmp_path), [make_row(name, run_id="run-7") for name in names])
    files = sorted(os.listdir(tmp_path / "_ledger"))
    assert len(files) == 2
    assert all(name.startswith("run-7-") and name.endswith(".parquet") for name in files)
    tables = [pq.read_table(tmp_path / "_ledger" / name) for name in files]
    assert sorted(table.num_rows for table in tables) == [1, 2]
    assert all(table.schema.equals(ledger.SCHEMA) for table in tables)


def test_no_rows_make_no_file(tmp_path: Path) -> None:
    ledger.append(str(tmp_path), [])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("first", [0, 1])
def test_the_last_row_of_a_source_counts(tmp_path: Path, make_row: MakeRow, first: int) -> None:
    """By the time in it, whatever its file is called: the run with the later name may have ended earlier."""
    old = make_row("a", status="failed", reason="storage", output="", finished_at=NOON, run_id="zzz")
    new = make_row("a", status="ok", finished_at=NOON + timedelta(milliseconds=1), run_id="aaa")
    for row in (old, new) if first == 0 else (new, old):
        ledger.append(str(tmp_path), [row, make_row("b", finished_at=NOON)])
    done = ledger.read(str(tmp_path)).latest
    assert done["a"] == new
    assert set(done) == {"a", "b"}


def test_foreign_files_are_left_alone(tmp_path: Path, make_row: MakeRow) -> None:
    ledger.append(str(tmp_path), [make_row("a")])
    (tmp_path / "_ledger" / "README.txt").write_text("hands off")
    (tmp_path / "_ledger" / f".{'0' * 32}.partial").write_bytes(b"PAR1")
    assert set(ledger.read(str(tmp_path)).latest) == {"a"}


def test_a_ledger_in_an_object_store(make_row: MakeRow) -> None:
    output = "memory://test-ledger/out"
    ledger.append(output, [make_row("a")])
    assert ledger.read(output).latest == {"a": make_row("a")}
    storage.remove("memory://test-ledger")


def test_to_parquet_is_a_parquet_file() -> None:
    table = pa.table({"x": [1, 2, 3], "y": ["a", None, "c"]})
    assert pq.read_table(io.BytesIO(ledger.to_parquet(table))).equals(table)


def test_a_damaged_file_is_named(tmp_path: Path, make_row: MakeRow) -> None:
    ledger.append(str(tmp_path), [make_row("a")])
    [path] = (tmp_path / "_ledger").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(OutputError, match=re.escape(str(path))):
        ledger.read(str(tmp_path))
