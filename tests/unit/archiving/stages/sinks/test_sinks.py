from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from colorize_core import storage
from colorize_core.archiving import typed_rows
from colorize_core.archiving.stages.sinks import shards
from colorize_core.archiving.stages.sinks.files import FileSink
from colorize_core.archiving.stages.sinks.formats import OUTPUT_FORMATS, remove_orphan_shards
from colorize_core.archiving.stages.sinks.parquet import ParquetSink, ShardRow
from colorize_core.archiving.stages.sinks.shards import ShardSink
from colorize_core.archiving.stages.sinks.sink import Destination, OutputFormat, Sink
from colorize_core.archiving.stages.sinks.tar import TarSink
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.errors import ColorizeError, ImageError
from colorize_core.images.encode import Encoded
from colorize_core.images.formats import FORMATS
from colorize_core.images.metadata.provenance import Provenance, marked
from colorize_core.storage import spilled_file

MakeRow = Callable[..., LedgerRow]
NAME = "20260102T030405Z-abcdef-00000007"  # of a task
SINKS = list(dict.fromkeys(each.sink for each in OUTPUT_FORMATS.values()))


def free() -> None:
    """No other run has taken over."""


def to(output: str, task: str = NAME, check_lock: Callable[[], None] = free) -> Destination:
    return Destination(output, task, "unet-lite", check_lock)


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
    assert table.schema.equals(typed_rows.schema_of(ShardRow))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_files_are_there_before_their_rows_are(output: str, make_row: MakeRow) -> None:
    target = FileSink(to(output))
    good = make_row("/in/a.tif", output="album/a.png")
    bad = make_row("/in/b.tif", output="", status="failed", reason="damaged")
    target.add(good, b"an image")
    target.add(bad, b"")
    assert storage.read(storage.join(output, "album", "a.png")) == b"an image"
    assert ledger.latest(output) == {}
    target.close()
    assert ledger.latest(output) == {row.source: row for row in (good, bad)}
    assert [entry.name for entry in storage.find(output) if not entry.name.startswith("_ledger/")] == ["album/a.png"]


@pytest.mark.parametrize("make", SINKS)
def test_a_task_that_is_done_again_writes_the_same_files(
    output: str, make_row: MakeRow, make: Callable[..., Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_SHARD_BYTES", 5)
    seen = []
    for _ in range(2):
        target = make(to(output))
        for name in ("a", "b", "c"):
            target.add(make_row(name, output=f"{name}.png"), b"xyz")
        target.close()
        seen.append({entry.name: storage.read(entry.path) for entry in storage.find(output)})
    assert seen[0] == seen[1]
    assert sum(table.num_rows for table in ledger.scan(output)) == 3


@pytest.mark.parametrize("make", SINKS)
def test_a_run_that_lost_its_lock_records_nothing(output: str, make_row: MakeRow, make: Callable[..., Sink]) -> None:
    def lost() -> None:
        raise ColorizeError("another run has taken over OUTPUT")

    target = make(to(output, check_lock=lost))
    target.add(make_row("a", output="a.png"), b"an image")
    with pytest.raises(ColorizeError, match="taken over"):
        target.close()
    assert ledger.latest(output) == {}
    assert _shards(output) == []


def test_a_file_is_replaced(output: str, make_row: MakeRow) -> None:
    mark = marked(Provenance("a.tif", "unet-lab", "ab" * 32))
    for content in (mark + b"old", mark + b"new"):
        target = FileSink(to(output))
        target.add(make_row("a", output="a.png"), content)
        target.close()
    assert storage.read(storage.join(output, "a.png")) == mark + b"new"


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
        target = make(to(output))
        target.add(make_row("a", output="a.png"), each)
        target.close()
        seen.append({entry.name: storage.read(entry.path) for entry in storage.find(output)})
    assert seen[0] == seen[1]
    assert any(content in file for file in seen[0].values())


def test_what_another_program_made_is_not_replaced(output: str, make_row: MakeRow) -> None:
    storage.write(storage.join(output, "a.png"), b"a drawing")
    target = FileSink(to(output))
    with pytest.raises(ImageError, match=r"OUTPUT has a file a\.png that colorize did not make") as caught:
        target.add(make_row("a", output="a.png"), marked(Provenance("a.tif", "unet-lab", "ab" * 32)))
    assert caught.value.reason == "taken"
    target.add(make_row("b", output="a.png"), b"a drawing")  # the very same: nothing is lost
    assert storage.read(storage.join(output, "a.png")) == b"a drawing"


def test_what_could_not_be_written_has_no_row(tmp_path: Path, make_row: MakeRow) -> None:
    (tmp_path / "album").write_bytes(b"a file where a folder should be")
    target = FileSink(to(str(tmp_path)))
    with pytest.raises(OSError, match="album"):
        target.add(make_row("a", output="album/a.png"), b"an image")
    target.add(make_row("b", output="b.png"), b"another")
    target.close()
    assert set(ledger.latest(str(tmp_path))) == {"b"}


def test_a_shard_holds_images_and_failures(output: str, make_row: MakeRow) -> None:
    target = ParquetSink(to(output))
    good = make_row("/in/a.tif", output="")
    bad = make_row("/in/b.tif", output="", status="failed", reason="damaged", message="cut", width=0, height=0, bytes=0)
    target.add(good, b"\x89PNG\x00\x00")
    target.add(bad, b"")
    assert not storage.exists(output)
    target.close()
    [shard] = _shards(output)
    assert shard.startswith(f"part-{good.run_id}-")
    common = {"format": "png", "model": "unet-lite", "bundle": good.bundle, "settings": good.settings, "seconds": 0.5}
    common |= {"digital_source_type": None} | {
        "fingerprint": good.fingerprint,
        "run_id": good.run_id,
        "finished_at": good.finished_at,
    }
    assert _rows(output, shard) == [
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


def test_pages_are_files_beside_the_first(output: str, make_row: MakeRow) -> None:
    target = FileSink(to(output))
    target.add_page(2, Encoded(b"second", 3, 4))
    target.add_page(3, Encoded(b"third", 5, 6))
    target.add(make_row("a", output="album/a.png", pages=3), b"first")
    target.add_page(2, Encoded(b"whose third is damaged", 3, 4))
    target.add(make_row("b", output="", status="failed"), b"")
    target.add(make_row("c", output="c.png"), b"another")
    target.close()
    found = {entry.name: storage.read(entry.path) for entry in storage.find(output)}
    assert {name: content for name, content in found.items() if not name.startswith("_")} == {
        "album/a.png": b"first",
        "album/a.page-2.png": b"second",
        "album/a.page-3.png": b"third",
        "c.png": b"another",
    }


def test_pages_that_are_no_more(output: str, make_row: MakeRow) -> None:
    for number, pages in enumerate((4, 2, 3)):
        target = FileSink(to(output, f"{NAME}{number}"))
        for page in range(2, pages + 1):
            target.add_page(page, Encoded(marked(Provenance("a.tif", "m", f"{number}")), 3, 4))
        target.add(make_row("a", output="a.png", pages=pages), marked(Provenance("a.tif", "m", f"{number}")))
        target.close()
        found = {entry.name for entry in storage.find(output) if not entry.name.startswith("_")}
        assert found == {"a.png", *(f"a.page-{page}.png" for page in range(2, pages + 1))}


def test_pages_are_rows_of_one_shard(output: str, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "_SHARD_BYTES", 20)
    target = ParquetSink(to(output))
    for name in "ab":
        target.add_page(2, Encoded(b"0123456789", 3, 4))
        target.add(make_row(name, output="", pages=2), b"0123456789")
    target.add_page(2, Encoded(b"of one that failed", 3, 4))
    target.add(make_row("c", output="", status="failed", reason="damaged"), b"")
    target.close()
    found = [[(row["source"], row["page"], row["width"]) for row in _rows(output, name)] for name in _shards(output)]
    assert sorted(found) == [[("a", 1, 640), ("a", 2, 3)], [("b", 1, 640), ("b", 2, 3), ("c", None, 640)]]
    assert set(ledger.latest(output)) == {"a", "b", "c"}


def test_pages_in_a_web_dataset(output: str, make_row: MakeRow) -> None:
    target = TarSink(to(output))
    target.add_page(2, Encoded(b"second", 3, 4))
    target.add(make_row("a.tif", output="a.tif.png", pages=2), b"first")
    target.close()
    [shard] = [entry.path for entry in storage.children(output) if entry.name.endswith(".tar")]
    with tarfile.open(fileobj=io.BytesIO(storage.read(shard))) as tar:
        members = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    assert (members["a%2Etif.png"], members["a%2Etif%2Epage-2.png"]) == (b"first", b"second")
    facts = [json.loads(members[f"a%2Etif{page}.json"]) for page in ("", "%2Epage-2")]
    assert [(each["page"], each["width"], each["source"]) for each in facts] == [(1, 640, "a.tif"), (2, 3, "a.tif")]


@pytest.mark.parametrize("make", [ParquetSink, TarSink])
def test_shards_say_of_each_page_whether_a_machine_colored_it(
    output: str, make_row: MakeRow, make: type[ShardSink]
) -> None:
    target = make(to(output))
    origin = Provenance("a.tif", "unet-lite", "1234")
    target.add_page(2, Encoded(marked(origin, kept=True), 3, 4))
    target.add(make_row("a.tif", output="a.png", pages=2), marked(origin))
    target.close()
    [path] = [entry.path for entry in storage.children(output) if entry.name.startswith("part-")]
    if make is ParquetSink:
        facts = _rows(output, Path(path).name)
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
    target = ParquetSink(to(output))
    sizes = [40, 60, 1, 99, 500, 0, 3]
    for i, size in enumerate(sizes):
        target.add(make_row(f"{i}", output=""), b"x" * size)
    target.close()
    in_shards = [[(row["source"], len(row["image"] or b"")) for row in _rows(output, name)] for name in _shards(output)]
    assert sorted(in_shards) == [[("0", 40), ("1", 60)], [("2", 1), ("3", 99)], [("4", 500)], [("5", 0), ("6", 3)]]
    done = ledger.latest(output)
    for name in _shards(output):
        assert all(done[row["source"]].output == name for row in _rows(output, name))


@pytest.mark.parametrize("make", SINKS)
def test_closing_an_empty_sink_writes_nothing(tmp_path: Path, make: Callable[..., Sink]) -> None:
    make(to(str(tmp_path))).close()
    assert os.listdir(tmp_path) == []


def test_a_shard_that_cannot_be_written_has_no_rows(tmp_path: Path, make_row: MakeRow) -> None:
    (tmp_path / "out").write_bytes(b"a file where a folder should be")
    target = ParquetSink(to(str(tmp_path / "out")))
    target.add(make_row("a", output=""), b"an image")
    with pytest.raises(OSError, match="out"):
        target.close()
    (tmp_path / "out").unlink()
    target.close()  # nothing was lost
    [shard] = _shards(str(tmp_path / "out"))
    assert ledger.latest(str(tmp_path / "out"))["a"].output == shard


def test_shards_without_rows_are_removed_and_nothing_else(output: str, make_row: MakeRow) -> None:
    target = ParquetSink(to(output))
    target.add(make_row("a", output=""), b"an image")
    target.close()
    [kept] = _shards(output)
    others = ["part-notes.txt", "part-00000-of-another-program.parquet", "album/part-1.parquet", "a.png"]
    for name in ("part-20260102T030405Z-abcdef-00000008-0.parquet", *others):
        storage.write(storage.join(output, name), b"x")
    ledger.append(output, "x", [make_row("a", output="a.png")])  # colorized again: its shard is no orphan for that
    remove_orphan_shards(output)
    left = [entry.name for entry in storage.find(output) if not entry.name.startswith("_ledger/")]
    assert left == sorted([kept, *others])
    assert set(ledger.latest(output)) == {"a"}


def test_a_tar_shard_is_a_web_dataset(output: str, make_row: MakeRow) -> None:
    target = TarSink(to(output))
    names = ["album/a.png", "album/b.tif.png", "album/50%.png", "c\n.png"]
    for i, name in enumerate(names):
        target.add(make_row(f"/in/{i}", output=name), b"image %d" % i)
    target.add(make_row("/in/bad", output="", status="failed", reason="damaged"), b"")
    target.close()
    [shard] = [entry.path for entry in storage.children(output) if entry.name.endswith(".tar")]
    with tarfile.open(fileobj=io.BytesIO(storage.read(shard))) as tar:
        members = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    keys = ["album/a", "album/b%2Etif", "album/50%25", "c\n"]
    assert list(members) == [key + end for key in keys for end in (".png", ".json")]
    assert [members[f"{key}.png"] for key in keys] == [b"image %d" % i for i in range(4)]
    facts = json.loads(members["album/b%2Etif.json"])
    assert (facts["source"], facts["width"], facts["bundle"]) == ("/in/1", 640, "ab" * 32)
    rows = ledger.latest(output)
    assert len(rows) == 5
    assert {row.output for row in rows.values() if row.status == "ok"} == {shard.rsplit("/", 1)[1]}
    assert rows["/in/bad"].output == ""


def test_a_small_shard_of_failures_alone_is_a_tar_file(output: str, make_row: MakeRow) -> None:
    target = TarSink(to(output))
    target.add(make_row("/in/bad", output="", status="failed", reason="damaged"), b"")
    target.close()
    [shard] = [entry.path for entry in storage.children(output) if entry.name.endswith(".tar")]
    with tarfile.open(fileobj=io.BytesIO(storage.read(shard))) as tar:
        assert tar.getnames() == []


def test_each_format_has_a_sink_and_says_what_its_images_are() -> None:
    assert OUTPUT_FORMATS.keys() >= {*FORMATS, "parquet", "tar"}
    for name, each in OUTPUT_FORMATS.items():
        if name in FORMATS:
            assert each == OutputFormat(name, FileSink, name)
        else:
            assert isinstance(each.sink, type)
            assert issubclass(each.sink, ShardSink)
            assert each == OutputFormat(name, each.sink, shards.IMAGE_FORMAT, each.sink.suffix)
