"""Results as files, one per page."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorize_core import storage
from colorize_core.archiving.stages.sinks.files import FileSink
from colorize_core.archiving.state import ledger
from colorize_core.errors import ImageError
from colorize_core.images.encode import Encoded
from colorize_core.images.metadata.provenance import Provenance, marked
from tests.unit.archiving.stages.sinks.written_shards import NAME, MakeRow, destination, photograph


def test_files_are_there_before_their_rows_are(output: str, make_row: MakeRow) -> None:
    sink = FileSink(destination(output))
    good = make_row("/in/a.tif", output="album/a.png")
    bad = make_row("/in/b.tif", output="", status="failed", reason="damaged")
    sink.add(*photograph(good, b"an image"))
    sink.add(*photograph(bad, b""))
    assert storage.read(storage.join(output, "album", "a.png")) == b"an image"
    assert ledger.latest(output) == {}
    sink.close()
    assert ledger.latest(output) == {row.source: row for row in (good, bad)}
    assert [entry.name for entry in storage.find(output) if not entry.name.startswith("_ledger/")] == ["album/a.png"]


def test_a_file_is_replaced(output: str, make_row: MakeRow) -> None:
    mark = marked(Provenance("a.tif", "unet-lab", "ab" * 32))
    for content in (mark + b"old", mark + b"new"):
        sink = FileSink(destination(output))
        sink.add(*photograph(make_row("a", output="a.png"), content))
        sink.close()
    assert storage.read(storage.join(output, "a.png")) == mark + b"new"


def test_what_another_program_made_is_not_replaced(output: str, make_row: MakeRow) -> None:
    storage.write(storage.join(output, "a.png"), b"a drawing")
    sink = FileSink(destination(output))
    with pytest.raises(ImageError, match=r"OUTPUT has a file a\.png that colorize did not make") as caught:
        sink.add(*photograph(make_row("a", output="a.png"), marked(Provenance("a.tif", "unet-lab", "ab" * 32))))
    assert caught.value.reason == "taken"
    sink.add(*photograph(make_row("b", output="a.png"), b"a drawing"))  # the same content, so that nothing is lost
    assert storage.read(storage.join(output, "a.png")) == b"a drawing"


def test_what_could_not_be_written_has_no_row(tmp_path: Path, make_row: MakeRow) -> None:
    (tmp_path / "album").write_bytes(b"a file where a folder should be")
    sink = FileSink(destination(str(tmp_path)))
    with pytest.raises(OSError, match="album"):
        sink.add(*photograph(make_row("a", output="album/a.png"), b"an image"))
    sink.add(*photograph(make_row("b", output="b.png"), b"another"))
    sink.close()
    assert set(ledger.latest(str(tmp_path))) == {"b"}


def test_pages_are_files_beside_the_first(output: str, make_row: MakeRow) -> None:
    sink = FileSink(destination(output))
    sink.add(
        *photograph(
            make_row("a", output="album/a.png", pages=3), b"first", Encoded(b"second", 3, 4), Encoded(b"third", 5, 6)
        )
    )
    sink.add(*photograph(make_row("b", output="", status="failed")))
    sink.add(*photograph(make_row("c", output="c.png"), b"another"))
    sink.close()
    found = {entry.name: storage.read(entry.path) for entry in storage.find(output)}
    assert {name: content for name, content in found.items() if not name.startswith("_")} == {
        "album/a.png": b"first",
        "album/a.page-2.png": b"second",
        "album/a.page-3.png": b"third",
        "c.png": b"another",
    }


def test_pages_that_are_no_more(output: str, make_row: MakeRow) -> None:
    for number, pages in enumerate((4, 2, 3)):
        sink = FileSink(destination(output, f"{NAME}{number}"))
        page = Encoded(marked(Provenance("a.tif", "m", f"{number}")), 3, 4)
        sink.add(make_row("a", output="a.png", pages=pages), [page] * pages)
        sink.close()
        found = {entry.name for entry in storage.find(output) if not entry.name.startswith("_")}
        assert found == {"a.png", *(f"a.page-{page}.png" for page in range(2, pages + 1))}
