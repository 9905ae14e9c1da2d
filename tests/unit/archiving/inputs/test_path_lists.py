"""Lists of paths: each line is a photograph, and a bad line does not affect the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from colorize_core import storage
from colorize_core.archiving.faults import CircuitBreaker, reason_of
from colorize_core.archiving.inputs import path_lists, photographs
from colorize_core.archiving.inputs.listing import list_sources
from colorize_core.errors import ImageError, InputError
from colorize_core.storage import retry
from tests.support.container_files import tar
from tests.support.listings import rows_of


def test_a_list_of_paths(tmp_path: Path) -> None:
    for name, content in (("b.jpg", b"x"), ("a.TIF", b"xx"), ("album/c.png", b"xxx"), ("notes.doc", b"")):
        storage.write(str(tmp_path / "in" / name), content)
    storage.write("memory://listed/far/e.jpg", b"far")
    (tmp_path / "in" / "box.tar").write_bytes(tar({"m.jpg": b"member"}))
    lines = [
        "in/b.jpg",
        f"{tmp_path}/in/album/c.png",
        "",
        "memory://listed/far/e.jpg",
        "in/album/../a.TIF",
        "in/b.jpg",
        "in/gone.jpg",
        "in/notes.doc",
        "in/box.tar",
        "in/caf\udce9.jpg",
    ]
    (tmp_path / "list.txt").write_bytes(os.fsencode("\r\n".join(lines)))
    rows = rows_of(str(tmp_path / "list.txt"))
    assert [(row.name, row.size) for row in rows] == sorted(
        [
            ("in/b.jpg", 1),
            ("in/b.jpg", 1),
            (f"{tmp_path}/in/album/c.png".lstrip("/"), 3),
            ("listed/far/e.jpg", 3),
            ("in/a.TIF", 2),
            ("in/gone.jpg", 0),
            ("in/box.tar/m.jpg", 6),
            ("in/caf\\xe9.jpg", 0),
        ]
    )
    by_name = {row.name: row for row in rows}
    assert photographs.read(by_name["listed/far/e.jpg"]) == b"far"
    assert photographs.read(by_name["in/a.TIF"]) == b"xx"
    with pytest.raises(FileNotFoundError):
        photographs.read(by_name["in/gone.jpg"])
    assert by_name["in/gone.jpg"].fingerprint == "0-"
    storage.remove("memory://listed")


def test_a_file_is_one_source_however_a_list_spells_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to("in")
    spelled = ["a.jpg", "./a.jpg", f"{tmp_path}/in/a.jpg", "../in//a.jpg", f"file://{tmp_path}/in/../in/a.jpg"]
    (tmp_path / "in" / "list.txt").write_text("\n".join([*spelled, "../link/a.jpg"]))
    rows = rows_of(str(tmp_path / "in" / "list.txt"))
    assert {row.source for row in rows} == {f"{tmp_path}/in/a.jpg", f"{tmp_path}/link/a.jpg"}
    assert {row.path for row in rows} == {os.fsencode(row.source) for row in rows}
    assert len(rows) == 6  # the plan counts each source once


def test_the_mark_of_utf8_is_no_part_of_the_first_path(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"here")
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa.jpg\r\n")
    [row] = rows_of(str(tmp_path / "list.txt"))
    assert (row.name, photographs.read(row)) == ("a.jpg", b"here")


class _Forbidding(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(403)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def forbidding() -> Iterator[str]:
    """Yields the URL of a server that answers every request with 403 Forbidden."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Forbidding) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_line_that_cannot_be_looked_at_fails_alone(
    tmp_path: Path, forbidding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "_RETRY_SECONDS", 0.1)
    (tmp_path / "a.jpg").write_bytes(b"here")
    lines = [f"{forbidding}/b.jpg", "gopher://host/c.jpg", "github://host/d.jpg", "http://127.0.0.1:1/e.jpg", "a.jpg"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    rows = {row.source: row for row in rows_of(str(tmp_path / "list.txt"))}
    assert set(rows) == {*lines[:-1], f"{tmp_path}/a.jpg"}
    assert photographs.read(rows.pop(f"{tmp_path}/a.jpg")) == b"here"
    reasons = {}
    for source, row in rows.items():
        with pytest.raises((ImageError, OSError)) as caught:
            photographs.read(row)
        error = caught.value
        reasons[source] = error.reason if isinstance(error, ImageError) else reason_of(error)
        assert source in str(error)
    assert reasons == dict(zip(lines, ["unreadable", "unreadable", "unreadable", "storage"], strict=False))


def test_a_host_that_does_not_answer_is_not_waited_for_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def stat(path: str) -> None:
        asked.append(path)
        raise TimeoutError

    monkeypatch.setattr(storage, "stat", stat)
    (tmp_path / "list.txt").write_text("".join(f"http://{host}/{i}.jpg\n" for i in range(1000) for host in "ab"))
    entries = list(path_lists.entries(str(tmp_path / "list.txt"), lambda _: None))
    assert {(entry.size, entry.stamp) for entry in entries} == {(0, "")}
    assert len(entries) == 2000
    assert len(asked) < 50
    assert len({path[:9] for path in asked}) == 2


def test_a_store_that_is_away_keeps_no_other_from_being_asked() -> None:
    breaker = CircuitBreaker()
    for _ in range(3):
        with pytest.raises(TimeoutError), breaker.call("http://away/a.jpg"):
            raise TimeoutError
    with pytest.raises(OSError, match="not tried"), breaker.call("http://away/b.jpg"):
        pytest.fail("was tried")
    for path in ("http://there/a.jpg", "/there/a.jpg"):
        with breaker.call(path):
            pass


def test_a_folder_in_a_list_is_named(tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    (tmp_path / "a.jpg").write_bytes(b"x")
    storage.write("memory://listed/album/b.jpg", b"x")
    (tmp_path / "list.txt").write_text("./album/\na.jpg\nmemory://listed/album\nnothing\n")
    listing = list_sources(str(tmp_path / "list.txt"))
    assert (listing.sources.num_rows, listing.other_files) == (1, 1)
    assert [line.split(" is a folder")[0] for line in listing.unlisted] == [
        f"{tmp_path}/album",
        "memory://listed/album",
    ]
    storage.remove("memory://listed")


def test_a_secret_in_a_list_is_refused_and_its_line_said(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.jpg\n\nhttps://ada:hidden@host/x.jpg\n")
    with pytest.raises(InputError, match=r"^line 3 of .*list\.txt: the https:// URL holds a key") as caught:
        list_sources(str(tmp_path / "list.txt"))
    assert "hidden" not in str(caught.value)
