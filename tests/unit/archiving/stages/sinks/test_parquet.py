"""Results as Parquet files."""

from __future__ import annotations

import pytest

from colorize_core import storage
from colorize_core.archiving.stages.sinks import shards
from colorize_core.archiving.stages.sinks.parquet import ParquetSink
from colorize_core.archiving.state import ledger
from colorize_core.images.encode import Encoded
from tests.unit.archiving.stages.sinks.written_shards import (
    MakeRow,
    destination,
    parquet_rows,
    parquet_shards,
    photograph,
)


def test_a_shard_holds_images_and_failures(output: str, make_row: MakeRow) -> None:
    sink = ParquetSink(destination(output))
    good = make_row("/in/a.tif", output="")
    bad = make_row("/in/b.tif", output="", status="failed", reason="damaged", message="cut", width=0, height=0, bytes=0)
    sink.add(*photograph(good, b"\x89PNG\x00\x00"))
    sink.add(*photograph(bad, b""))
    assert not storage.exists(output)
    sink.close()
    [shard] = parquet_shards(output)
    assert shard.startswith(f"part-{good.run_id}-")
    common = {"format": "png", "model": "unet-lite", "bundle": good.bundle, "settings": good.settings, "seconds": 0.5}
    common |= {"doubt": None}
    common |= {"digital_source_type": None} | {
        "fingerprint": good.fingerprint,
        "run_id": good.run_id,
        "finished_at": good.finished_at,
    }
    assert parquet_rows(output, shard) == [
        common
        | {"source": "/in/a.tif", "page": 1, "image": b"\x89PNG\x00\x00", "width": 640, "height": 480}
        | {"status": "ok", "reason": "", "message": ""},
        common
        | {"source": "/in/b.tif", "page": None, "image": None, "width": 0, "height": 0}
        | {"status": "failed", "reason": "damaged", "message": "cut"},
    ]
    assert {row.source: row.output for row in ledger.latest(output).values()} == {
        "/in/a.tif": shard,
        "/in/b.tif": shard,
    }


def test_pages_are_rows_of_one_shard(output: str, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "_SHARD_BYTES", 20)
    sink = ParquetSink(destination(output))
    for name in "ab":
        sink.add(*photograph(make_row(name, output="", pages=2), b"0123456789", Encoded(b"0123456789", 3, 4)))
    sink.add(*photograph(make_row("c", output="", status="failed", reason="damaged")))
    sink.close()
    found = [
        [(row["source"], row["page"], row["width"]) for row in parquet_rows(output, name)]
        for name in parquet_shards(output)
    ]
    assert sorted(found) == [[("a", 1, 640), ("a", 2, 3)], [("b", 1, 640), ("b", 2, 3), ("c", None, 640)]]
    assert set(ledger.latest(output)) == {"a", "b", "c"}
