"""Listing and matching files: on a local disk, in an S3 server, and in fsspec's memory."""

from __future__ import annotations

import os
from pathlib import Path

import fsspec
import pytest

from colorize_core import storage


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
    errors: list[OSError] = []
    assert [entry.name for entry in storage.match(f"{locked}/{pattern}", errors.append)] == names
    assert [error.filename for error in errors] == [str(locked / "locked")] * is_told
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
    assert broken.name == "broken.jpg"  # reading it raises an error
    with pytest.raises(FileNotFoundError):
        storage.read(broken.path)
    assert entry.stamp == storage.find(str(tmp_path / "store"))[0].stamp


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "a.jpg").write_bytes(b"x")
    for found in (storage.find(str(tmp_path)), storage.children(str(tmp_path)), storage.match(f"{tmp_path}/*")):
        assert [(entry.name, entry.size) for entry in found] == [("a.jpg", 1), ("pipe.jpg", 0)]
    with pytest.raises(OSError, match=r"pipe\.jpg: is not a regular file"):  # and opening it does not block
        storage.read(str(tmp_path / "pipe.jpg"))
    with pytest.raises(OSError, match=r"pipe\.jpg: is not a regular file"):
        storage.read_range(str(tmp_path / "pipe.jpg"), 0, 1)


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
