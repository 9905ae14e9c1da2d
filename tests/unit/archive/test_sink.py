from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from colorize_core import storage
from colorize_core.archive import ledger, sink
from colorize_core.archive.ledger import LedgerRow
from colorize_core.archive.sink import FileSink, ParquetSink, Sink, sweep

MakeRow = Callable[..., LedgerRow]


@pytest.fixture(params=["local", "memory"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path / "out")
    else:
        yield "memory://test-sink/out"
        if storage.exists("memory://test-sink"):
            storage.remove("memory://test-sink")


def _shards(output: str) -> list[str]:
    return [entry.name for entry in storage.children(output) if entry.name.endswith(".parquet")]


def _rows(output: str, shard: str) -> list[dict[str, Any]]:
    table = pq.read_table(io.BytesIO(storage.read(storage.join(output, shard))))
    assert table.schema.equals(sink.SHARD_SCHEMA)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_files_are_there_before_their_rows_are(output: str, make_row: MakeRow) -> None:
    target = FileSink(output)
    good = make_row("/in/a.tif", output="album/a.png")
    bad = make_row("/in/b.tif", output="", status="failed", reason="damaged")
    target.add(good, b"an image")
    target.add(bad, b"")
    assert storage.read(storage.join(output, "album", "a.png")) == b"an image"
    assert ledger.read(output).latest == {}
    target.close()
    assert ledger.read(output).latest == {row.source: row for row in (good, bad)}
    assert [entry.name for entry in storage.find(output) if not entry.name.startswith("_ledger/")] == ["album/a.png"]


def test_a_file_sink_can_go_on_after_close(output: str, make_row: MakeRow) -> None:
    target = FileSink(output)
    for name in ("a", "b"):
        target.add(make_row(name, output=f"{name}.png"), name.encode())
        target.close()
    target.close()
    assert set(ledger.read(output).latest) == {"a", "b"}
    assert len(list(storage.children(storage.join(output, "_ledger")))) == 2


def test_a_file_is_replaced(output: str, make_row: MakeRow) -> None:
    for content in (b"old", b"new"):
        target = FileSink(output)
        target.add(make_row("a", output="a.png"), content)
        target.close()
    assert storage.read(storage.join(output, "a.png")) == b"new"


def test_what_could_not_be_written_has_no_row(tmp_path: Path, make_row: MakeRow) -> None:
    (tmp_path / "album").write_bytes(b"a file where a folder should be")
    target = FileSink(str(tmp_path))
    with pytest.raises(OSError, match="album"):
        target.add(make_row("a", output="album/a.png"), b"an image")
    target.add(make_row("b", output="b.png"), b"another")
    target.close()
    assert set(ledger.read(str(tmp_path)).latest) == {"b"}


def test_a_shard_holds_images_and_failures(output: str, make_row: MakeRow) -> None:
    target = ParquetSink(output)
    good = make_row("/in/a.tif", output="")
    bad = make_row("/in/b.tif", output="", status="failed", reason="damaged", message="cut", width=0, height=0, bytes=0)
    target.add(good, b"\x89PNG\x00\x00")
    target.add(bad, b"")
    assert not storage.exists(output)
    target.close()
    [shard] = _shards(output)
    assert shard.startswith(f"part-{good.run_id}-")
    common = {"format": "png", "bundle": good.bundle, "seconds": 0.5}
    common |= {"fingerprint": good.fingerprint, "run_id": good.run_id, "finished_at": good.finished_at}
    assert _rows(output, shard) == [
        common
        | {"source": "/in/a.tif", "image": b"\x89PNG\x00\x00", "width": 640, "height": 480}
        | {"status": "ok", "reason": "", "message": ""},
        common
        | {"source": "/in/b.tif", "image": None, "width": 0, "height": 0}
        | {"status": "failed", "reason": "damaged", "message": "cut"},
    ]
    assert {row.source: row.output for row in ledger.read(output).latest.values()} == {
        "/in/a.tif": shard,
        "/in/b.tif": shard,
    }


def test_a_shard_is_closed_before_it_grows_too_large(
    output: str, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "_SHARD_BYTES", 100)
    target = ParquetSink(output)
    sizes = [40, 60, 1, 99, 500, 0, 3]
    for i, size in enumerate(sizes):
        target.add(make_row(f"{i}", output=""), b"x" * size)
    target.close()
    in_shards = [[(row["source"], len(row["image"] or b"")) for row in _rows(output, name)] for name in _shards(output)]
    assert sorted(in_shards) == [[("0", 40), ("1", 60)], [("2", 1), ("3", 99)], [("4", 500)], [("5", 0), ("6", 3)]]
    done = ledger.read(output).latest
    for name in _shards(output):
        assert all(done[row["source"]].output == name for row in _rows(output, name))


@pytest.mark.parametrize("make", [FileSink, ParquetSink])
def test_closing_an_empty_sink_writes_nothing(tmp_path: Path, make: Callable[[str], Sink]) -> None:
    make(str(tmp_path)).close()
    assert os.listdir(tmp_path) == []


def test_a_shard_that_cannot_be_written_has_no_rows(tmp_path: Path, make_row: MakeRow) -> None:
    (tmp_path / "out").write_bytes(b"a file where a folder should be")
    target = ParquetSink(str(tmp_path / "out"))
    target.add(make_row("a", output=""), b"an image")
    with pytest.raises(OSError, match="out"):
        target.close()
    (tmp_path / "out").unlink()
    target.close()  # nothing was lost
    [shard] = _shards(str(tmp_path / "out"))
    assert ledger.read(str(tmp_path / "out")).latest["a"].output == shard


def test_sweep_removes_shards_without_rows_and_nothing_else(output: str, make_row: MakeRow) -> None:
    target = ParquetSink(output)
    target.add(make_row("a", output=""), b"an image")
    target.close()
    [kept] = _shards(output)
    others = ["part-notes.txt", "part-00000-of-another-program.parquet", "album/part-1.parquet", "a.png"]
    for name in (f"part-20260102T030405Z-abcdef-{'0' * 32}.parquet", *others):
        storage.write(storage.join(output, name), b"x")
    ledger.append(output, [make_row("a", output="a.png")])  # colorized again: its shard is no orphan for that
    sweep(output, ledger.read(output).outputs)
    left = [entry.name for entry in storage.find(output) if not entry.name.startswith("_ledger/")]
    assert left == sorted([kept, *others])
    assert set(ledger.read(output).latest) == {"a"}
