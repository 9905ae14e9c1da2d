"""The published archive is downloaded once and checked; a failure gives a one-line error."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorize_core import datasets
from colorize_core.datasets import DATASETS, official
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError

NAMES = {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}
PUBLISHER = "https://www.cs.toronto.edu/~kriz"


class _Mirror(ThreadingHTTPServer):
    """Serves files by name; one of ``cut`` bytes less ends in the middle, without a word."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.cut = 0
        self.sends_length = True
        self.requests: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Mirror

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        content = self.server.files.get(self.path[1:])
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        if self.server.sends_length:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) - self.server.cut])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[_Mirror]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with _Mirror() as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        monkeypatch.setenv("COLORIZE_MIRROR", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("COLORIZE_CACHE", str(tmp_path / "cache"))
        yield server
        server.shutdown()


@pytest.fixture
def publish(
    mirror: _Mirror, monkeypatch: pytest.MonkeyPatch, make: Callable[[str, Path], Any], tmp_path: Path
) -> Callable[[str], Any]:
    """Returns a function that replaces the published archive, and its MD5, by a small one."""

    def put(name: str, extra: bytes = b"") -> Any:
        dataset = make(f"{name}-python.tar.gz", tmp_path / "made")
        content = Path(dataset.data.partition(":")[2]).read_bytes() + extra
        mirror.files[NAMES[name]] = content
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        archive = replace(_archive(name), md5=md5)
        monkeypatch.setitem(DATASETS, name, replace(DATASETS[name], archive=archive))
        return dataset

    return put


def _archive(name: str) -> official.PublishedArchive:
    archive = DATASETS[name].archive
    assert archive
    return archive


def _refusal(name: str = "cifar10") -> str:
    with pytest.raises(InputError) as caught:
        datasets.plan(f"{name}:official", SplitRule())
    message = str(caught.value)
    assert NAMES[name] in message
    assert "\n" not in message
    return message


def _cached(tmp_path: Path) -> list[str]:
    return os.listdir(tmp_path / "cache") if (tmp_path / "cache").exists() else []


@pytest.mark.parametrize("name", NAMES)
def test_it_is_fetched_once_and_read(
    name: str, mirror: _Mirror, publish: Callable[[str], Any], tmp_path: Path, read_all: Callable[..., Any]
) -> None:
    dataset = publish(name)
    for _ in range(2):
        rows = read_all(datasets.plan(f"{name}:official", dataset.rule))
        assert rows.keys() == dataset.pixels.keys()
        for identity, row in rows.items():
            np.testing.assert_array_equal(row["rgb"], dataset.pixels[identity])
    assert mirror.requests == [f"/{NAMES[name]}"]
    assert _cached(tmp_path) == [NAMES[name]]


def test_the_md5_sums_are_those_that_were_published() -> None:
    """Source: https://www.cs.toronto.edu/~kriz/cifar.html."""
    assert {name: (_archive(name).url, _archive(name).md5) for name in NAMES} == {
        "cifar10": (f"{PUBLISHER}/{NAMES['cifar10']}", "c58f30108f718f92721af3b95e74349a"),
        "cifar100": (f"{PUBLISHER}/{NAMES['cifar100']}", "eb9058c3a382ffc7106e4002c42a8d85"),
    }


def test_an_archive_of_another_md5_is_refused_and_not_kept(mirror: _Mirror, tmp_path: Path) -> None:
    mirror.files[NAMES["cifar10"]] = b"another archive"
    md5 = hashlib.md5(b"another archive", usedforsecurity=False).hexdigest()
    assert f"has MD5 {md5}, but the published MD5 is c58f30108f718f92721af3b95e74349a" in _refusal()
    assert _cached(tmp_path) == []


@pytest.mark.parametrize("sends_length", [True, False])
def test_an_archive_that_ends_in_the_middle_is_refused_and_not_kept(
    mirror: _Mirror, publish: Callable[[str], Any], tmp_path: Path, sends_length: bool
) -> None:
    dataset = publish("cifar10")
    mirror.cut, mirror.sends_length = 100, sends_length
    assert "try again, or fetch the file by hand" in _refusal()
    assert _cached(tmp_path) == []
    mirror.cut = 0
    assert datasets.plan("cifar10:official", dataset.rule).chunks


def test_an_archive_that_is_not_there_is_refused(mirror: _Mirror, tmp_path: Path) -> None:
    assert "404" in _refusal("cifar100")
    assert _cached(tmp_path) == []


def test_a_server_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, mirror: _Mirror, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("COLORIZE_MIRROR", f"http://127.0.0.1:{port}/")
    message = _refusal()
    assert "refused" in message
    assert message.endswith("fetch it by hand, and give its path instead of 'official'")
    assert _cached(tmp_path) == []


def test_a_server_that_says_nothing_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, mirror: _Mirror, tmp_path: Path
) -> None:
    monkeypatch.setattr(official, "_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("COLORIZE_MIRROR", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "timed out" in _refusal()
    assert _cached(tmp_path) == []


def test_an_archive_is_not_held_in_memory(publish: Callable[..., Any]) -> None:
    """A simple server like this one does not answer range requests, so fsspec would fail at 5 MB."""
    publish("cifar10", extra=os.urandom(12 << 20))
    tracemalloc.start()
    try:
        assert Path(official.fetch(_archive("cifar10"))).stat().st_size > 12 << 20
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_mirror_may_be_a_folder(
    scheme: str, mirror: _Mirror, publish: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish("cifar100")
    (tmp_path / NAMES["cifar100"]).write_bytes(mirror.files[NAMES["cifar100"]])
    monkeypatch.setenv("COLORIZE_MIRROR", f"{scheme}{tmp_path}")
    assert datasets.plan("cifar100:official", SplitRule()).chunks
    assert mirror.requests == []


def test_a_cache_that_cannot_be_written_is_refused(
    publish: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish("cifar10")
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("COLORIZE_CACHE", str(tmp_path / "file" / "cache"))
    assert "Not a directory" in _refusal()
