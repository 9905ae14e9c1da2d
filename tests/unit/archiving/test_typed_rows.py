"""The rows of an archive run: dataclasses and their Arrow columns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timezone

import numpy as np
import pyarrow as pa
import pytest

from colorize_core.archiving import typed_rows
from colorize_core.archiving.inputs import photographs
from colorize_core.archiving.planning import plan
from colorize_core.archiving.planning.plan import PlannedPhotograph
from colorize_core.archiving.stages import dedupe, finished, pages
from colorize_core.archiving.stages.dedupe import Duplicate
from colorize_core.archiving.stages.finished import FinishedPhotograph
from colorize_core.archiving.stages.pages import PageInput, PageRow
from colorize_core.archiving.stages.sinks.parquet import ParquetRow
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.archiving.state.summary import StageSeconds
from colorize_core.inference.colorizer import PredictedColors

LISTED = {
    "path": pa.binary(),
    "member": pa.binary(),
    "place": pa.int64(),
    "source": pa.string(),
    "name": pa.string(),
    "size": pa.int64(),
    "fingerprint": pa.string(),
}
PLANNED = {**LISTED, "output": pa.string(), "task": pa.int64()}
LEDGER = {
    **dict.fromkeys(("source", "fingerprint", "content", "status", "reason", "message", "output"), pa.string()),
    **dict.fromkeys(("width", "height", "pages"), pa.int32()),
    "colorfulness": pa.float32(),
    "doubt": pa.float32(),
    "bytes": pa.int64(),
    **dict.fromkeys(("bundle", "settings", "run_id", "pictures"), pa.string()),
    "seconds": pa.float32(),
    "finished_at": pa.timestamp("ms", "UTC"),
}
PLANNED_PHOTOGRAPH = PlannedPhotograph(
    path=b"/in/caf\xe9.tif",
    source="/in/caf\\xe9.tif",
    name="caf\\xe9.tif",
    size=7,
    fingerprint="7-1",
    output="a.png",
    task=3,
)
LEDGER_ROW = LedgerRow(
    source="/in/a.tif",
    fingerprint="7-1",
    status="ok",
    bundle="ab",
    settings="format=png",
    run_id="r",
    seconds=0.5,
    finished_at=datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=timezone.utc),
)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (photographs.SCHEMA, LISTED),
        (plan.SCHEMA, {name: kind for name, kind in PLANNED.items() if name != "task"}),
        (plan.TASK_SCHEMA, PLANNED),
        (dedupe.TASK_SCHEMA, {**PLANNED, "original": pa.string(), "content": pa.string()}),
        (ledger.SCHEMA, LEDGER),  # as the ledgers of earlier runs have it
        (finished.SCHEMA, {**LEDGER, **dict.fromkeys(("read", "predict", "finish"), pa.float32())}),
    ],
)
def test_columns_are_the_fields(schema: pa.Schema, expected: dict[str, pa.DataType]) -> None:
    assert [(field.name, field.type) for field in schema] == list(expected.items())


@pytest.mark.parametrize(
    "row", [PLANNED_PHOTOGRAPH, Duplicate(**vars(PLANNED_PHOTOGRAPH), original="/in/b.tif", content="ab"), LEDGER_ROW]
)
def test_rows_come_back_from_a_table_as_they_were(row: object) -> None:
    table = typed_rows.to_table([row, row], type(row))
    assert typed_rows.from_table(table, type(row)) == [row, row]


def test_an_empty_table_has_the_columns() -> None:
    table = typed_rows.to_table([], LedgerRow)
    assert (table.num_rows, table.schema) == (0, ledger.SCHEMA)
    assert typed_rows.from_table(table, LedgerRow) == []


def test_a_field_of_an_unknown_type_is_refused() -> None:
    @dataclass
    class Row:
        value: complex

    with pytest.raises(KeyError, match="complex"):
        typed_rows.schema_of(Row)


def test_finished_photographs_come_back_from_a_table() -> None:
    photographs = [FinishedPhotograph(LEDGER_ROW, StageSeconds(read=0.25, predict=0.125, finish=0.125))]
    assert photographs[0].seconds.total == 0.5
    table = finished.to_table(photographs)
    assert table.schema == finished.SCHEMA
    assert finished.from_table(table) == photographs


def test_pages_travel_with_the_file_of_their_photograph() -> None:
    row = PageRow.of(PLANNED_PHOTOGRAPH, "digest")
    gray = np.arange(6, dtype=np.uint8).reshape(2, 3)
    first, second = row.with_input(PageInput(1, 8, gray)), row.with_input(PageInput(2, 99, None))
    failed = PageRow(source="b", fingerprint="1-1", output="b.png", task=3, reason="damaged", message="cut")
    table = pages.to_table([first, second, failed], [b"a file", b"", b""])
    assert table.schema == pages.SCHEMA
    one, other = pages.photographs_of(table)
    assert (one.pages, one.copy_file(), one.file_size) == ([first, second], b"a file", 6)
    assert (other.pages, other.copy_file(), other.file_size) == ([failed], b"", 0)
    np.testing.assert_array_equal(one.pages[0].gray_pixels(), gray)
    assert one.pages[1].gray_pixels() is None


def test_a_prediction_takes_the_place_of_the_gray_pixels() -> None:
    row = PageRow.of(PLANNED_PHOTOGRAPH).with_input(PageInput(1, 0, np.zeros((2, 3), np.uint8)))
    assert row.chroma() is None
    ab = np.arange(16, dtype=np.float32).reshape(2, 4, 2)
    predicted = row.with_prediction(PredictedColors(ab, 7.5), 0.5)
    assert (predicted.gray, predicted.gray_pixels(), predicted.predict) == (b"", None, 0.5)
    assert predicted.doubt == 7.5
    np.testing.assert_array_equal(predicted.chroma(), ab)


def test_a_failure_takes_back_what_was_written() -> None:
    written = LedgerRow(**(vars(LEDGER_ROW) | {"output": "a.png", "width": 3, "pages": 2, "pictures": "x"}))
    expected = vars(LEDGER_ROW) | {"status": "failed", "reason": "taken", "message": "no"}
    assert vars(written.failed("taken", "no")) == expected


def test_shared_fields_are_those_of_both_types() -> None:
    shared = typed_rows.shared_fields(LEDGER_ROW, ParquetRow)
    assert shared.keys() == {field.name for field in fields(LedgerRow)} & {field.name for field in fields(ParquetRow)}
    assert all(value == getattr(LEDGER_ROW, name) for name, value in shared.items())


def test_a_copy_has_the_result_of_its_original_and_its_own_identity() -> None:
    result = {
        "status": "ok",
        "reason": "in_color",
        "output": "a.png",
        "width": 3,
        "height": 2,
        "pages": 2,
        "pictures": "x",
    }
    original = LedgerRow(**(vars(LEDGER_ROW) | result | {"source": "a", "fingerprint": "9-9", "run_id": "earlier"}))
    assert vars(LEDGER_ROW.with_result_of(original)) == vars(LEDGER_ROW) | result
