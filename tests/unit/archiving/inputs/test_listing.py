from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from colorize_core import storage
from colorize_core.archiving.inputs.listing import check_apart, list_sources
from colorize_core.errors import InputError, OutputError
from tests.support.listings import rows_of

TREE = (
    *("b.jpg", "a.TIF", "album/c.png", "album/.hidden.jpg", "album/notes.txt", "album/2/d.jpeg", "e.psd", "._b.jpg"),
    "album/notes.doc",
)


def _fill(root: str, names: tuple[str, ...] = TREE) -> str:
    for i, name in enumerate(names):
        storage.write(storage.join(root, name), b"x" * (i + 1))
    return root


@pytest.fixture(params=["local", "memory"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yields a folder that holds TREE, on a local disk and in an object store."""
    if request.param == "local":
        yield _fill(str(tmp_path / "in"))
    else:
        url = f"memory://{uuid.uuid4().hex}"
        yield _fill(storage.join(url, "in"))
        storage.remove(url)


def _names(location: str) -> list[str]:
    return [row.name for row in rows_of(location)]


def test_a_folder_is_listed_whole(tree: str) -> None:
    rows = rows_of(tree)
    assert [(row.name, row.size) for row in rows] == [
        ("a.TIF", 2),
        ("album/2/d.jpeg", 6),
        ("album/c.png", 3),
        ("b.jpg", 1),
    ]
    assert list_sources(tree).other_files == 5
    for row in rows:
        assert len(storage.read(row.source)) == row.size
        assert row.path == row.source.encode()
        assert row.fingerprint.startswith(f"{row.size}-")
        assert len(row.fingerprint) > 5
    assert rows_of(tree + "/") == rows


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.jpg", ["b.jpg"]),
        ("*", ["a.TIF", "b.jpg"]),
        ("**", ["a.TIF", "album/2/d.jpeg", "album/c.png", "b.jpg"]),
        ("album/*", ["c.png"]),
        ("al*/*.png", ["album/c.png"]),
        ("[ab].*", ["a.TIF", "b.jpg"]),
        ("b.jpg", ["b.jpg"]),
        ("album/c.png", ["c.png"]),
    ],
)
def test_a_glob_or_a_single_file(tree: str, pattern: str, names: list[str]) -> None:
    assert _names(storage.join(tree, pattern)) == names


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("nowhere", "does not exist: give a folder, a glob, one of .bmp"),
        ("nowhere/*.jpg", "holds no photograph: 0 files, none of them .bmp, .gif, "),
        ("*.psd", "holds no photograph: 1 files"),
        ("album/notes.txt", "holds no photograph: 1 files"),  # not a list of photographs
        ("album/notes.doc", "is a file, but not an image"),
        ("album/.hidden.jpg", "is a file, but not an image"),
    ],
)
def test_nothing_to_colorize_is_said(tree: str, location: str, message: str) -> None:
    where = storage.join(tree, location)
    with pytest.raises(InputError) as caught:
        list_sources(where)
    assert str(caught.value).startswith(f"INPUT {where} {message}")
    assert "\n" not in str(caught.value)


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no photograph: 0 files"):
        list_sources(str(tmp_path))


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(str(tmp_path / "in"))
    monkeypatch.chdir(tmp_path)
    assert rows_of("in") == rows_of(str(tmp_path / "in"))
    assert rows_of("in")[0].source == str(tmp_path / "in" / "a.TIF")


@pytest.mark.parametrize("name", ["scan [1].jpg", "50% *new*.jpg", "what?.jpg", "ä ö #1.jpg", "a\nb.jpg", "[x]/a.jpg"])
def test_names_with_special_characters(tmp_path: Path, name: str) -> None:
    _fill(str(tmp_path), (name, "other.jpg"))
    assert _names(str(tmp_path)) == sorted([name, "other.jpg"])
    assert _names(str(tmp_path / name)) == [os.path.basename(name)]


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
def test_a_name_that_is_no_utf8_is_escaped(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", "wb") as file:
        file.write(b"x")
    [row] = rows_of(str(tmp_path))
    assert (row.name, row.source) == ("caf\\xe9.jpg", f"{tmp_path}/caf\\xe9.jpg")
    with open(tmp_path / "caf\\xe9.jpg", "wb") as file:  # a name that contains a backslash
        file.write(b"x")
    assert len({row.source for row in rows_of(str(tmp_path))}) == 2
    assert row.path == os.fsencode(tmp_path) + b"/caf\xe9.jpg"


@pytest.mark.skipif(sys.platform != "linux", reason="the depth of a path that cannot be listed is Linux'")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    _fill(str(tmp_path), ("a.jpg",))
    where = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # 20 * 251 characters: more than a system call takes
        os.mkdir("d" * 250, dir_fd=where)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=where)
        os.close(where)
        where = below
    os.close(where)
    listing = list_sources(str(tmp_path))
    assert listing.sources.table()["name"].to_pylist() == ["a.jpg"]
    [unlisted] = listing.unlisted
    assert "File name too long" in unlisted


def test_a_glob_names_the_folders_that_it_could_not_look_into(locked: Path) -> None:
    for where in (str(locked), f"{locked}/*/*.jpg", f"{locked}/**"):
        listing = list_sources(where)
        assert listing.sources.table()["name"].to_pylist() == ["a/1.jpg"]
        assert listing.unlisted == [f"[Errno 13] Permission denied: '{locked}/locked'"]


def test_a_link_is_a_photograph(tmp_path: Path) -> None:
    _fill(str(tmp_path / "store"), ("long.jpg",))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.jpg").symlink_to(tmp_path / "store" / "long.jpg")
    assert _names(str(tmp_path / "in")) == ["link.jpg"]


def test_the_fingerprint_follows_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    seen = []
    for content, time in ((b"1", 10), (b"1", 11), (b"12", 11), (b"1", 10)):
        path.write_bytes(content)
        os.utime(path, ns=(0, time * 10**9))
        seen.append(rows_of(str(tmp_path))[0].fingerprint)
    assert seen == ["1-10000000000", "1-11000000000", "2-11000000000", "1-10000000000"]


@pytest.mark.parametrize(
    ("location", "output"),
    [
        ("in", "out"),
        ("in", "in-colorized"),
        ("in/*.jpg", "out"),
        ("in/*.jpg", "in/out"),
        ("in/b.jpg", "in/out"),
        ("in/b.jpg", "out"),
        ("in/album", "in/other"),
        ("in/album/*", "in/other"),
        ("missing", "out"),
        ("missing/*.jpg", "out"),
        ("in", "memory://bucket/in"),
        ("memory://bucket/in", "in"),
        ("memory://bucket/in", "memory://bucket/out"),
    ],
)
def test_places_apart_are_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, output: str) -> None:
    _fill(str(tmp_path / "in"))
    monkeypatch.chdir(tmp_path)
    check_apart(location, output)


@pytest.mark.parametrize(
    ("location", "output", "message"),
    [
        ("in", "in", "OUTPUT in lies inside INPUT in"),
        ("in", "in/", "OUTPUT in/ lies inside INPUT in"),
        ("in/", "./in", "OUTPUT ./in lies inside INPUT in/"),
        ("in", "in/out", "OUTPUT in/out lies inside INPUT in"),
        ("in/**/*.jpg", "in/out", r"OUTPUT in/out lies inside INPUT in/\*\*/\*.jpg"),
        ("in/al*/*", "in/out", r"OUTPUT in/out lies inside INPUT in/al\*/\*"),
        ("in/b.jpg", "in", "OUTPUT in lies inside INPUT in/b.jpg"),
        ("in", ".", "INPUT in lies inside OUTPUT ."),
        ("in/album", "in", "INPUT in/album lies inside OUTPUT in"),
        ("in/album/c.png", "in", "INPUT in/album/c.png lies inside OUTPUT in"),
        ("link", "in/out", "OUTPUT in/out lies inside INPUT link"),
        ("in", "link/out", "OUTPUT link/out lies inside INPUT in"),
        ("/", "out", "OUTPUT out lies inside INPUT /"),
        ("memory://bucket/in", "memory://bucket/in/out", "OUTPUT memory://bucket/in/out lies inside INPUT"),
        ("memory://bucket/in", "memory://bucket", "INPUT memory://bucket/in lies inside OUTPUT"),
    ],
)
def test_places_that_mix_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, output: str, message: str
) -> None:
    _fill(str(tmp_path / "in"))
    (tmp_path / "link").symlink_to(tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    storage.write("memory://bucket/in/a.jpg", b"x")
    with pytest.raises(OutputError, match=f"^{message}"):
        check_apart(location, output)
    storage.remove("memory://bucket")
