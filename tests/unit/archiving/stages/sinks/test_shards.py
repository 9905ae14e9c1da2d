"""What the shards of all formats have in common: their size, their rows in the ledger, and the removal of orphans."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from colorize_core import storage
from colorize_core.archiving.stages.sinks import shards
from colorize_core.archiving.stages.sinks.formats import remove_orphan_shards
from colorize_core.archiving.stages.sinks.parquet import ParquetSink
from colorize_core.archiving.stages.sinks.shards import ShardSink
from colorize_core.archiving.stages.sinks.tar import TarSink
from colorize_core.archiving.state import ledger
from colorize_core.images.encode import Encoded
from colorize_core.images.metadata.provenance import Provenance, marked
from tests.unit.archiving.stages.sinks.written_shards import (
    MakeRow,
    destination,
    parquet_rows,
    parquet_shards,
    photograph,
)


@pytest.mark.parametrize("make", [ParquetSink, TarSink])
def test_shards_say_of_each_page_whether_a_machine_colored_it(
    output: str, make_row: MakeRow, make: type[ShardSink]
) -> None:
    sink = make(destination(output))
    origin = Provenance("a.tif", "unet-lite", "1234")
    sink.add(
        *photograph(
            make_row("a.tif", output="a.png", pages=2), marked(origin), Encoded(marked(origin, kept=True), 3, 4)
        )
    )
    sink.close()
    [path] = [entry.path for entry in storage.children(output) if entry.name.startswith("part-")]
    if make is ParquetSink:
        facts = parquet_rows(output, Path(path).name)
    else:
        with tarfile.open(fileobj=io.BytesIO(storage.read(path))) as tar:
            facts = [json.load(tar.extractfile(info)) for info in tar if info.name.endswith(".json")]  # type: ignore[arg-type]
    assert [fact["model"] for fact in facts] == ["unet-lite"] * 2
    term = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    assert [fact["digital_source_type"] for fact in facts] == [term, None]


def test_a_shard_is_closed_before_it_grows_too_large(
    output: str, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_SHARD_BYTES", 100)
    sink = ParquetSink(destination(output))
    sizes = [40, 60, 1, 99, 500, 0, 3]
    for i, size in enumerate(sizes):
        sink.add(*photograph(make_row(f"{i}", output=""), b"x" * size))
    sink.close()
    in_shards = [
        [(row["source"], len(row["image"] or b"")) for row in parquet_rows(output, name)]
        for name in parquet_shards(output)
    ]
    assert sorted(in_shards) == [[("0", 40), ("1", 60)], [("2", 1), ("3", 99)], [("4", 500)], [("5", 0), ("6", 3)]]
    done = ledger.latest(output)
    for name in parquet_shards(output):
        assert all(done[row["source"]].output == name for row in parquet_rows(output, name))


def test_a_shard_that_cannot_be_written_has_no_rows(tmp_path: Path, make_row: MakeRow) -> None:
    (tmp_path / "out").write_bytes(b"a file where a folder should be")
    sink = ParquetSink(destination(str(tmp_path / "out")))
    sink.add(*photograph(make_row("a", output=""), b"an image"))
    with pytest.raises(OSError, match="out"):
        sink.close()
    (tmp_path / "out").unlink()
    sink.close()  # nothing was lost
    [shard] = parquet_shards(str(tmp_path / "out"))
    assert ledger.latest(str(tmp_path / "out"))["a"].output == shard


def test_shards_without_rows_are_removed_and_nothing_else(output: str, make_row: MakeRow) -> None:
    sink = ParquetSink(destination(output))
    sink.add(*photograph(make_row("a", output=""), b"an image"))
    sink.close()
    [kept] = parquet_shards(output)
    others = ["part-notes.txt", "part-00000-of-another-program.parquet", "album/part-1.parquet", "a.png"]
    for name in ("part-20260102T030405Z-abcdef-00000008-0.parquet", *others):
        storage.write(storage.join(output, name), b"x")
    ledger.append(output, "x", [make_row("a", output="a.png")])  # colorized again; the shard with the old result stays
    remove_orphan_shards(output)
    left = [entry.name for entry in storage.find(output) if not entry.name.startswith("_ledger/")]
    assert left == sorted([kept, *others])
    assert set(ledger.latest(output)) == {"a"}
