"""Storage on a local disk, in an S3 server of our own, and in fsspec's memory, which stands for all other stores."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from colorize_core import storage
from colorize_core.errors import OutputError


@pytest.fixture(params=["local", "memory", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path / "root")
    elif request.param == "s3":
        yield request.getfixturevalue("bucket") + "/root"
    else:
        url = f"memory://{uuid.uuid4().hex}/root"
        yield url
        filesystem, inner = fsspec.core.url_to_fs(url)
        if filesystem.exists(inner):
            filesystem.rm(inner, recursive=True)


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


def test_entries_carry_path_name_size_and_sorted_names(root: str) -> None:
    for name, content in {"b.jpg": b"12", "album/2/c.jpg": b"123", "album/a.jpg": b"", "ä b.txt": b"1"}.items():
        storage.write(storage.join(root, name), content)
    entries = storage.find(root)
    assert [(entry.name, entry.size) for entry in entries] == [
        ("album/2/c.jpg", 3),
        ("album/a.jpg", 0),
        ("b.jpg", 2),
        ("ä b.txt", 1),
    ]
    assert [len(storage.read(entry.path)) for entry in entries] == [3, 0, 2, 1]
    assert storage.find(root + "/") == entries
    assert [entry.name for entry in storage.children(root)] == ["b.jpg", "ä b.txt"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.jpg", ["a.jpg", "b.jpg"]),
        ("?.jpg", ["a.jpg", "b.jpg"]),
        ("[b-z].*", ["b.jpg"]),
        ("*/*.jpg", ["album/a.jpg"]),
        ("al*/*", ["album/a.jpg"]),
        ("album/*", ["a.jpg"]),
        ("**/*.jpg", ["a.jpg", "album/a.jpg", "b.jpg"]),
        ("b.jpg", ["b.jpg"]),
        ("none*", []),
    ],
)
def test_match_names_what_lies_below_the_last_plain_folder(root: str, pattern: str, names: list[str]) -> None:
    for name in ("a.jpg", "b.jpg", "notes.txt", "album/a.jpg"):
        storage.write(storage.join(root, name), b"x")
    assert [entry.name for entry in storage.match(storage.join(root, pattern))] == names


@pytest.mark.parametrize("name", ["scan[1].jpg", "scan*.jpg", "scan?.jpg"])
def test_match_finds_a_file_whose_name_has_wildcards(root: str, name: str) -> None:
    for other in (name, "scan1.jpg"):
        storage.write(storage.join(root, other), other.encode())
    [entry] = storage.match(storage.join(root, name))
    assert (entry.name, storage.read(entry.path)) == (name, name.encode())


@pytest.mark.parametrize(
    "pattern",
    [
        *("*", "**", "*.jpg", "?.jpg", "[!a].jpg", "[a-", ".*", "*/*", "*/*.jpg", "*/", "a[[]b]/*", "*/.*/*", "x*/**"),
        *(
            "**/*.jpg",
            "**/2/*",
            "*/2/**",
            "*/**/?.jpg",
            "**/*/**",
            "al*/**/2/*.jpg",
            "link/*",
            "*/gone/*",
            "no/*",
            "a.jpg/*",
        ),
        *("*/a.b*/*", "alb*/2/c.jpg", "*\\*", "**/loop/*"),
    ],
)
def test_match_has_the_rules_of_fsspec(tmp_path: Path, pattern: str) -> None:
    root = tmp_path / "r+(o)t"
    for name in (
        "a.jpg",
        ".h.jpg",
        "album/b.jpg",
        "album/2/c.jpg",
        "album/2/3/2/d.jpg",
        "album/.h/e.jpg",
        "a[b]/f.jpg",
    ):
        storage.write(str(root / name), b"x")
    for name in ("x/a.bc/g.jpg", "new\nline/\n.jpg", "back\\slash.jpg", "caf\udce9/h.jpg"):
        storage.write(str(root / name), b"x")
    (root / "link").symlink_to("album")
    (root / "album" / "loop").symlink_to("..")
    (root / "gone.jpg").symlink_to("nothing")
    found = fsspec.filesystem("file").glob(f"{root}/{pattern}".rstrip("/"))
    expected = sorted(path for path in found if not os.path.isdir(path))
    entries = list(storage.match(f"{root}/{pattern}"))
    assert [entry.path for entry in entries] == expected
    for entry in entries:
        assert entry.path.endswith("/" + entry.name)


@pytest.mark.parametrize(
    ("pattern", "names", "is_told"),
    [
        ("*/*.jpg", ["a/1.jpg"], True),
        ("**/*.jpg", ["a/1.jpg"], True),
        ("l*/**", [], True),
        ("locked/*.jpg", [], True),
        ("a/*.jpg", ["1.jpg"], False),
        ("[a-k]*/*.jpg", ["a/1.jpg"], False),
        ("*.jpg", [], False),
        ("nowhere/*.jpg", [], False),
    ],
)
def test_match_tells_which_folders_cannot_be_listed(
    locked: Path, pattern: str, names: list[str], is_told: bool
) -> None:
    told: list[OSError] = []
    assert [entry.name for entry in storage.match(f"{locked}/{pattern}", told.append)] == names
    assert [error.filename for error in told] == [str(locked / "locked")] * is_told
    if is_told:
        with pytest.raises(PermissionError):
            list(storage.match(f"{locked}/{pattern}"))


def test_links_to_files_are_followed(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "long.jpg").write_bytes(b"12345")
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "link.jpg").symlink_to(tmp_path / "store" / "long.jpg")
    (folder / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    (folder / "loop").symlink_to(folder)
    broken, entry = storage.find(str(folder))
    assert (entry.name, entry.size) == ("link.jpg", 5)
    assert broken.name == "broken.jpg"  # whoever reads it is told that it is gone
    with pytest.raises(FileNotFoundError):
        storage.read(broken.path)
    assert entry.stamp == storage.find(str(tmp_path / "store"))[0].stamp


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


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "a.jpg").write_bytes(b"x")
    for found in (storage.find(str(tmp_path)), storage.children(str(tmp_path)), storage.match(f"{tmp_path}/*")):
        assert [(entry.name, entry.size) for entry in found] == [("a.jpg", 1), ("pipe.jpg", 0)]
    with pytest.raises(OSError, match=r"pipe\.jpg: is not a regular file"):  # and no one waits for it
        storage.read(str(tmp_path / "pipe.jpg"))
    with pytest.raises(OSError, match=r"pipe\.jpg: is not a regular file"):
        storage.read_range(str(tmp_path / "pipe.jpg"), 0, 1)


def test_check_writable_says_why_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"OUTPUT .*/file/out cannot be written \(.+\): choose another") as caught:
        storage.check_writable(str(tmp_path / "file" / "out"))
    assert "\n" not in str(caught.value)


def test_children_are_the_files_right_there(root: str) -> None:
    assert list(storage.children(storage.join(root, "nowhere"))) == []
    for name in ("b.txt", "a.txt", "below/c.txt"):
        storage.write(storage.join(root, name), b"x")
    assert [entry.name for entry in storage.children(root)] == ["a.txt", "b.txt"]


def test_links_that_lead_nowhere_or_to_themselves_stop_nobody(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "up").symlink_to(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"x")
    assert [(entry.name, entry.size) for entry in storage.find(str(tmp_path))] == [
        ("a.jpg", 1),
        ("loop", 0),
        ("nowhere.jpg", 0),
    ]
