"""The contract that all sinks keep, and the registry of output formats."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core import storage
from colorize_core.archiving.stages.sinks import shards
from colorize_core.archiving.stages.sinks.files import FileSink
from colorize_core.archiving.stages.sinks.formats import OUTPUT_FORMATS
from colorize_core.archiving.stages.sinks.shards import ShardSink
from colorize_core.archiving.stages.sinks.sink import OutputFormat, Sink
from colorize_core.archiving.state import ledger
from colorize_core.errors import ColorizeError
from colorize_core.images.formats import FORMATS
from colorize_core.images.metadata.provenance import Provenance, marked
from colorize_core.storage import spilled_file
from tests.unit.archiving.stages.sinks.written_shards import MakeRow, destination, parquet_shards, photograph

SINKS = list(dict.fromkeys(each.sink for each in OUTPUT_FORMATS.values()))


@pytest.mark.parametrize("make", SINKS)
def test_a_task_that_is_done_again_writes_the_same_files(
    output: str, make_row: MakeRow, make: Callable[..., Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_SHARD_BYTES", 5)
    seen = []
    for _ in range(2):
        sink = make(destination(output))
        for name in ("a", "b", "c"):
            sink.add(*photograph(make_row(name, output=f"{name}.png"), b"xyz"))
        sink.close()
        seen.append({entry.name: storage.read(entry.path) for entry in storage.find(output)})
    assert seen[0] == seen[1]
    assert sum(table.num_rows for table in ledger.scan(output)) == 3


@pytest.mark.parametrize("make", SINKS)
def test_a_run_that_lost_its_lock_records_nothing(output: str, make_row: MakeRow, make: Callable[..., Sink]) -> None:
    def lost() -> None:
        raise ColorizeError("another run has taken over OUTPUT")

    sink = make(destination(output, check_lock=lost))
    sink.add(*photograph(make_row("a", output="a.png"), b"an image"))
    with pytest.raises(ColorizeError, match="taken over"):
        sink.close()
    assert ledger.latest(output) == {}
    assert parquet_shards(output) == []


@pytest.mark.parametrize("make", SINKS)
def test_a_result_on_the_disk_is_written_as_one_in_memory(
    output: str, make_row: MakeRow, make: Callable[..., Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spilled_file, "_PIECE", 7)
    content = marked(Provenance("a.tif", "unet-lab", "ab" * 32))
    on_disk = storage.SpilledFile()
    on_disk.file.write(content)
    seen = []
    for each in (on_disk, content):
        sink = make(destination(output))
        sink.add(*photograph(make_row("a", output="a.png"), each))
        sink.close()
        seen.append({entry.name: storage.read(entry.path) for entry in storage.find(output)})
    assert seen[0] == seen[1]
    assert any(content in file for file in seen[0].values())


@pytest.mark.parametrize("make", SINKS)
def test_closing_an_empty_sink_writes_nothing(tmp_path: Path, make: Callable[..., Sink]) -> None:
    make(destination(str(tmp_path))).close()
    assert os.listdir(tmp_path) == []


def test_each_format_has_a_sink_and_says_what_its_images_are() -> None:
    assert OUTPUT_FORMATS.keys() >= {*FORMATS, "parquet", "tar"}
    for name, each in OUTPUT_FORMATS.items():
        if name in FORMATS:
            assert each == OutputFormat(name, FileSink, name)
        else:
            assert isinstance(each.sink, type)
            assert issubclass(each.sink, ShardSink)
            assert each == OutputFormat(name, each.sink, each.image_format, each.sink.suffix)
            assert each.image_format in FORMATS
