"""The list for review has the results with the largest doubt, each once, and none that was replaced."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest

from colorize_core.archiving.review import HEADER, check_path, check_writable, write_review
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.errors import OutputError, UserError
from colorize_core.storage.parquet import to_parquet

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def row(number: int, doubt: float | None, minutes: int = 0, status: str = "ok") -> LedgerRow:
    return LedgerRow(
        source=f"/scans/{number:03}.tif",
        fingerprint="1",
        status=status,  # type: ignore[arg-type]
        output=f"{number:03}.png",
        width=30,
        height=20,
        pages=1,
        doubt=doubt,
        bundle="b",
        settings="s",
        run_id="r",
        finished_at=START + timedelta(minutes=minutes),
    )


def read(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_the_worst_come_first(tmp_path: Path) -> None:
    doubts = [(number * 37) % 101 / 10 for number in range(100)]
    ledger.append(str(tmp_path), "one", [row(number, doubt) for number, doubt in enumerate(doubts)])
    ledger.append(str(tmp_path), "two", [row(200, None), row(201, None, status="failed")])
    assert write_review(str(tmp_path), str(tmp_path / "review.csv"), 10) == 10
    header, *rows = read(tmp_path / "review.csv")
    assert tuple(header) == HEADER
    assert [float(each[0]) for each in rows] == sorted(doubts, reverse=True)[:10]
    first = max(range(100), key=lambda number: doubts[number])
    assert rows[0][1:7] == [f"/scans/{first:03}.tif", str(tmp_path / f"{first:03}.png"), "30", "20", "1", "b"]


def test_a_result_that_was_replaced_is_not_listed(tmp_path: Path) -> None:
    """Far more outdated rows with a large doubt than the list has places."""
    old = [row(number, 50.0 + number) for number in range(60)]
    new = [row(number, 1.0 + number / 100, minutes=1) for number in range(59)]
    ledger.append(str(tmp_path), "old", old)
    ledger.append(str(tmp_path), "new", new)
    write_review(str(tmp_path), str(tmp_path / "review.csv"), 5)
    [_, *rows] = read(tmp_path / "review.csv")
    assert [float(each[0]) for each in rows] == [109.0, 1.58, 1.57, 1.56, 1.55]


def test_without_doubt_the_list_is_empty(tmp_path: Path) -> None:
    ledger.append(str(tmp_path), "one", [row(1, None)])
    assert write_review(str(tmp_path), str(tmp_path / "review.csv"), 100) == 0
    assert read(tmp_path / "review.csv") == [list(HEADER)]


def test_a_ledger_from_before_there_was_doubt_is_read(tmp_path: Path) -> None:
    rows = [{name: value for name, value in vars(row(1, None)).items() if name != "doubt"}]
    schema = ledger.SCHEMA.remove(ledger.SCHEMA.get_field_index("doubt"))
    folder = tmp_path / "_ledger"
    folder.mkdir()
    (folder / "old.parquet").write_bytes(to_parquet(pa.Table.from_pylist(rows, schema)))
    ledger.append(str(tmp_path), "new", [row(2, 3.0)])
    assert {each.doubt for each in ledger.latest(str(tmp_path)).values()} == {None, 3.0}
    assert write_review(str(tmp_path), str(tmp_path / "review.csv"), 100) == 1


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("scan.png", "must be the name of a CSV file"),
        ("folder.csv", "is there already"),
        ("table.csv", "is there already, and no list of colorize"),
        ("foo://bar/x.csv", "foo"),
        ("s3://key:secret@bucket/x.csv", "holds a key"),
    ],
)
def test_no_other_file_is_ever_replaced(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "table.csv").write_text("my,own,table\n")
    with pytest.raises(UserError, match=words):
        check_path(path if "://" in path else str(tmp_path / path))
    assert (tmp_path / "table.csv").read_text() == "my,own,table\n"


def test_an_earlier_list_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "worst.csv")
    for doubts in ([1.0], [2.0, 3.0]):
        ledger.append(str(tmp_path), f"{len(doubts)}", [row(number, doubt) for number, doubt in enumerate(doubts)])
        check_path(path)
        write_review(str(tmp_path), path, 10)
    assert len(read(tmp_path / "worst.csv")) == 3


def test_a_list_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for write in (check_writable, lambda path: write_review(str(tmp_path), path, 100)):
        with pytest.raises(OutputError, match=r"--review .* cannot be written"):
            write(str(tmp_path / "file" / "review.csv"))
