"""Reading, writing and removing files: on a local disk, in an S3 server, and in fsspec's memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from colorize_core import storage
from colorize_core.errors import OutputError


def _names(folder: str) -> list[str]:
    return [entry.name for entry in storage.find(folder)]


def test_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    assert storage.absolute("scans/../a.jpg") == str(tmp_path / "a.jpg")
    assert storage.absolute("~/scans") == "/home/ada/scans"
    assert storage.absolute("file:///data/scans") == "/data/scans"
    assert storage.absolute("memory://bucket/scans") == "memory://bucket/scans"


@pytest.mark.parametrize(
    ("path", "local"), [("a.jpg", True), ("/data", True), ("file:///data", True), ("memory://x/y", False)]
)
def test_is_local(path: str, local: bool) -> None:
    assert storage.is_local(path) is local


@pytest.mark.parametrize("base", ["/out", "/out/", "s3://bucket/out", "s3://bucket/out/"])
def test_join(base: str) -> None:
    assert storage.join(base, "album", "a.png") == f"{base.rstrip('/')}/album/a.png"


def test_write_then_read(root: str) -> None:
    path = storage.join(root, "album", "a.bin")
    assert not storage.exists(path)
    storage.write(path, bytes(range(256)))
    assert storage.exists(path)
    assert storage.is_folder(storage.join(root, "album"))
    assert not storage.is_folder(path)
    assert storage.read(path) == bytes(range(256))
    storage.write(path, memoryview(b"view"))
    assert storage.read(path) == b"view"
    storage.write(path, b"")
    assert storage.read(path) == b""


def test_read_of_nothing_is_an_os_error(root: str) -> None:
    with pytest.raises(OSError, match="nothing"):
        storage.read(storage.join(root, "nothing"))


def test_stamp_changes_with_the_time_of_change(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"1")
    os.utime(path, ns=(0, 1_700_000_000_000_000_000))
    [old] = storage.find(str(tmp_path))
    os.utime(path, ns=(0, 1_700_000_000_001_000_000))  # one millisecond later
    [new] = storage.find(str(tmp_path))
    assert old.stamp == "1700000000000000000"
    assert new.stamp != old.stamp


def test_stamp_changes_with_the_object(root: str) -> None:
    path = storage.join(root, "a.jpg")
    storage.write(path, b"1")
    [old] = storage.find(root)
    assert [old] == storage.find(root)
    storage.write(path, b"2")
    [new] = storage.find(root)
    assert old.stamp
    assert new.stamp != old.stamp


def test_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "a.bin")
    storage.write(path, b"old")

    def interrupt(*_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        storage.write(path, b"new")
    assert storage.read(path) == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_write_takes_the_longest_name_there_is(tmp_path: Path) -> None:
    name = "n" * 251 + ".png"
    storage.write(str(tmp_path / name), b"x")
    assert os.listdir(tmp_path) == [name]


def test_write_below_a_file_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "album").write_bytes(b"a file")
    with pytest.raises(OSError, match="album"):
        storage.write(str(tmp_path / "album" / "a.png"), b"x")
    assert (tmp_path / "album").read_bytes() == b"a file"


def test_remove_takes_a_file_or_a_folder(root: str) -> None:
    for name in ("a.png", "b.png", "album/c.png", "album/2/d.png"):
        storage.write(storage.join(root, name), b"x")
    storage.remove(storage.join(root, "a.png"))
    assert _names(root) == ["album/2/d.png", "album/c.png", "b.png"]
    storage.remove(storage.join(root, "album"))
    assert _names(root) == ["b.png"]


def test_check_writable_leaves_nothing(root: str) -> None:
    storage.write(storage.join(root, "a.png"), b"x")
    storage.check_writable(root)
    storage.check_writable(storage.join(root, "new", "below"))
    assert _names(root) == ["a.png"]
    assert not storage.exists(storage.join(root, "new"))


def test_a_process_killed_over_its_probe_leaves_the_folder_empty(root: str) -> None:
    storage.write(storage.join(root, ".0123.probe"), b"")
    assert storage.is_empty(root)
    storage.write(storage.join(root, "a.png"), b"x")
    assert not storage.is_empty(root)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("in", True), ("in/", True), ("in/below/x", True), ("in/../in/x", True), ("inside", False), (".", False)],
)
def test_is_inside(tmp_path: Path, path: str, expected: bool) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert storage.is_inside(f"{tmp_path}/{path}", f"{tmp_path}/in") is expected
    assert storage.is_inside(f"{tmp_path}/{path}", f"{tmp_path}/link") is expected


def test_check_writable_says_why_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"OUTPUT .*/file/out cannot be written \(.+\): choose another") as caught:
        storage.check_writable(str(tmp_path / "file" / "out"))
    assert "\n" not in str(caught.value)
