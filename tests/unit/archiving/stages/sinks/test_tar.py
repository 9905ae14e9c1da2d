"""Results as tar files in the layout of WebDataset."""

from __future__ import annotations

import io
import json
import tarfile

from colorize_core import storage
from colorize_core.archiving.stages.sinks.tar import TarSink
from colorize_core.archiving.state import ledger
from colorize_core.images.encode import Encoded
from tests.unit.archiving.stages.sinks.written_shards import MakeRow, destination, photograph


def test_pages_in_a_web_dataset(output: str, make_row: MakeRow) -> None:
    sink = TarSink(destination(output))
    sink.add(*photograph(make_row("a.tif", output="a.tif.png", pages=2), b"first", Encoded(b"second", 3, 4)))
    sink.close()
    [shard] = [entry.path for entry in storage.children(output) if entry.name.endswith(".tar")]
    with tarfile.open(fileobj=io.BytesIO(storage.read(shard))) as tar:
        members = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    assert (members["a%2Etif.png"], members["a%2Etif%2Epage-2.png"]) == (b"first", b"second")
    facts = [json.loads(members[f"a%2Etif{page}.json"]) for page in ("", "%2Epage-2")]
    assert [(each["page"], each["width"], each["source"]) for each in facts] == [(1, 640, "a.tif"), (2, 3, "a.tif")]


def test_a_tar_shard_is_a_web_dataset(output: str, make_row: MakeRow) -> None:
    sink = TarSink(destination(output))
    names = ["album/a.png", "album/b.tif.png", "album/50%.png", "c\n.png"]
    for i, name in enumerate(names):
        sink.add(*photograph(make_row(f"/in/{i}", output=name), b"image %d" % i))
    sink.add(*photograph(make_row("/in/bad", output="", status="failed", reason="damaged"), b""))
    sink.close()
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
    sink = TarSink(destination(output))
    sink.add(*photograph(make_row("/in/bad", output="", status="failed", reason="damaged"), b""))
    sink.close()
    [shard] = [entry.path for entry in storage.children(output) if entry.name.endswith(".tar")]
    with tarfile.open(fileobj=io.BytesIO(storage.read(shard))) as tar:
        assert tar.getnames() == []
