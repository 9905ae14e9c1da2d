"""Photographs that are not files: members of containers and rows of Parquet files."""

from __future__ import annotations

import io
import os
import tarfile
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from colorize_core import storage
from colorize_core.archiving import typed_rows
from colorize_core.archiving.inputs import photographs
from colorize_core.archiving.inputs.listing import list_sources
from colorize_core.archiving.inputs.photographs import ListedPhotograph
from colorize_core.errors import ImageError, InputError
from tests.support.listings import rows_of


def _tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_700_000_000
            tar.addfile(info, io.BytesIO(content))
    return path


def _zip(path: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # zipfile warns if two members have the same name
        for name, content in members:
            archive.writestr(name, content)
    return path


def _contents(rows: Sequence[ListedPhotograph]) -> dict[str, bytes]:
    return {row.name: photographs.read(row) for row in rows}


def test_containers_are_read_in_place_wherever_they_lie(tmp_path: Path) -> None:
    (tmp_path / "in" / "box").mkdir(parents=True)
    (tmp_path / "in" / "a.jpg").write_bytes(b"file")
    _tar(tmp_path / "in" / "box" / "1.tar", {"x/b.jpg": b"tar", "notes.txt": b"", "x/c.TIF": b"tar too"})
    _zip(tmp_path / "in" / "2.ZIP", [("d.png", b"zip"), ("e/", b"")])
    rows = rows_of(str(tmp_path / "in"))
    assert _contents(rows) == {
        "2.ZIP/d.png": b"zip",
        "a.jpg": b"file",
        "box/1.tar/x/b.jpg": b"tar",
        "box/1.tar/x/c.TIF": b"tar too",
    }
    assert {row.source for row in rows} == {f"{tmp_path}/in/{row.name}" for row in rows}
    assert all(row.size == len(photographs.read(row)) for row in rows)


@pytest.mark.parametrize("name", ["box.tar", "box.zip"])
def test_a_container_as_input_has_names_of_its_own(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("tar"):
        _tar(path, {"x/b.jpg": b"1"})
    else:
        _zip(path, [("x/b.jpg", b"1")])
    [row] = rows_of(str(path))
    assert (row.name, row.source, photographs.read(row)) == ("x/b.jpg", f"{path}/x/b.jpg", b"1")
    storage.write(f"memory://boxes/{name}", path.read_bytes())
    [remote] = rows_of(f"memory://boxes/{name}")
    assert remote.source.endswith(f"/boxes/{name}/x/b.jpg")
    assert photographs.read(remote) == b"1"
    storage.remove("memory://boxes")


def test_a_member_that_stays_the_same_keeps_its_fingerprint(tmp_path: Path) -> None:
    """The container grows and its members move, but the fingerprint of an unchanged member stays."""
    for make, path in ((_tar, tmp_path / "1.tar"), (lambda p, m: _zip(p, list(m.items())), tmp_path / "1.zip")):
        make(path, {"b.jpg": b"the same"})
        before = {row.name: row.fingerprint for row in rows_of(str(path))}
        make(path, {"a.jpg": b"new", "b.jpg": b"the same"})
        after = {row.name: row.fingerprint for row in rows_of(str(path))}
        assert after["b.jpg"] == before["b.jpg"] != after["a.jpg"]


@pytest.mark.parametrize(
    ("member", "name"),
    [
        ("../../up.jpg", "_/_/up.jpg"),
        ("/etc/cron.d/x.jpg", "etc/cron.d/x.jpg"),
        ("a/../../b.jpg", "a/_/_/b.jpg"),
        ("..\\..\\up.jpg", "_/_/up.jpg"),
        ("./a//b.jpg", "a/b.jpg"),
        ("new\nline.jpg", "new\nline.jpg"),
        ("caf\udce9.jpg", "caf\\xe9.jpg"),
    ],
)
def test_no_member_has_a_name_that_leads_out(tmp_path: Path, member: str, name: str) -> None:
    path = tmp_path / "trap.tar"
    with tarfile.open(path, "w", errors="surrogateescape") as tar:
        info = tarfile.TarInfo(member)
        info.size = 4
        tar.addfile(info, io.BytesIO(b"here"))
    [row] = rows_of(str(path))
    assert (row.name, photographs.read(row)) == (name, b"here")
    row.source.encode()  # is text


def test_two_members_of_one_name_are_two_photographs(tmp_path: Path) -> None:
    path = _zip(tmp_path / "twice.zip", [("a.jpg", b"first"), ("a.jpg", b"second")])
    rows = sorted(rows_of(str(path)), key=lambda row: row.source)
    assert [(row.source, photographs.read(row)) for row in rows] == [
        (f"{path}/a.jpg", b"first"),
        (f"{path}/a.jpg (2)", b"second"),
    ]


def test_hard_links_in_tar_files_are_photographs_and_other_members_are_counted(tmp_path: Path) -> None:
    with tarfile.open(_tar(tmp_path / "x.tar", {"a.jpg": b"here", "notes.txt": b""}), "a") as tar:
        for name, kind, link in (
            ("b.jpg", tarfile.LNKTYPE, "a.jpg"),
            ("c.jpg", tarfile.LNKTYPE, "gone.jpg"),
            ("d.jpg", tarfile.SYMTYPE, "a.jpg"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            tar.addfile(info)
    for where, prefix in ((tmp_path / "x.tar", ""), (tmp_path, "x.tar/")):
        listing = list_sources(str(where))
        assert (listing.other_files, listing.unlisted) == (2, [])
        first, linked, bad = sorted(
            typed_rows.from_table(listing.sources.table(), ListedPhotograph), key=lambda row: row.name
        )
        assert [linked.name, linked.source] == [f"{prefix}b.jpg", f"{tmp_path}/x.tar/b.jpg"]
        assert photographs.read(linked) == photographs.read(first) == b"here"
        with pytest.raises(ImageError, match=r"a hard link to gone\.jpg, which does not precede it"):
            photographs.read(bad)


def test_a_damaged_container_among_others_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "bad.zip").write_bytes(b"PK no more")
    (tmp_path / ".hidden.zip").write_bytes(b"PK no more")
    listing = list_sources(str(tmp_path))
    assert listing.sources.num_rows == 1
    [line] = listing.unlisted
    assert "bad.zip cannot be read or is damaged" in line
    with pytest.raises(InputError, match=r"bad\.zip cannot be read or is damaged"):
        list_sources(str(tmp_path / "bad.zip"))
    (tmp_path / "packed.tar.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"unpack it to a \.tar"):
        list_sources(str(tmp_path / "packed.tar.gz"))


@pytest.mark.parametrize("where", ["in", "in/*", "list.txt"])
def test_compressed_tar_files_among_others_are_named(tmp_path: Path, where: str) -> None:
    names = ["x.tar.gz", "x.TGZ", "x.tar.bz2", "x.tar.xz", "x.tar.zst"]
    for name in ("a.jpg", ".hidden.tar.gz", *names):
        storage.write(str(tmp_path / "in" / name), b"x")
    (tmp_path / "list.txt").write_text("".join(f"in/{name}\n" for name in ("a.jpg", ".hidden.tar.gz", *names)))
    listing = list_sources(str(tmp_path / where))
    assert (listing.sources.num_rows, listing.other_files) == (1, 1)
    assert sorted(listing.unlisted) == sorted(
        f"{tmp_path}/in/{name} is compressed as a whole, so its files cannot be read one by one: unpack it to a .tar"
        for name in names
    )


def _parquet(path: Path, images: Sequence[Any], rows_per_group: int = 3, column: str = "image") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({column: images, "label": list(range(len(images)))}), path, row_group_size=rows_per_group)
    return path


@pytest.mark.parametrize("kept", [1 << 20, 0], ids=["small groups", "large groups"])
def test_rows_of_parquet_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    monkeypatch.setattr(photographs, "_KEPT", kept)
    _parquet(tmp_path / "in" / "x" / "1.parquet", [b"%d" % i for i in range(8)])
    _parquet(tmp_path / "in" / "2.parquet", [{"bytes": b"s", "path": "s.jpg"}, {"bytes": None, "path": None}])
    expected = {f"x/1.parquet/{i:08d}": b"%d" % i for i in range(8)}
    expected |= {"2.parquet/00000000": b"s", "2.parquet/00000001": b""}
    assert _contents(rows_of(str(tmp_path / "in"))) == expected
    assert _contents(rows_of(str(tmp_path / "in" / "**" / "*.parquet"))) == expected
    rows = rows_of(str(tmp_path / "in" / "x" / "1.parquet"))
    assert _contents(rows) == {f"{i:08d}": b"%d" % i for i in range(8)}
    assert {row.source for row in rows} == {f"{tmp_path}/in/x/1.parquet/{i:08d}" for i in range(8)}


def test_parquet_files_beside_photographs_are_other_files(tmp_path: Path) -> None:
    _parquet(tmp_path / "facts.parquet", [b"1"])
    (tmp_path / "a.jpg").write_bytes(b"x")
    listing = list_sources(str(tmp_path))
    assert (listing.sources.num_rows, listing.other_files, listing.unlisted) == (1, 1, [])


def test_a_parquet_file_that_shrank_or_is_gone(tmp_path: Path) -> None:
    path = _parquet(tmp_path / "1.parquet", [b"a", b"b"])
    last = rows_of(str(path))[1]
    with pytest.raises(ImageError, match="the row cannot be read: the file has 2 rows") as caught:
        photographs.read(replace(last, place=2))
    assert caught.value.reason == "damaged"
    _parquet(path, [b"a"])
    with pytest.raises(ImageError, match="it has changed since it was listed: the file has 1 rows") as caught:
        photographs.read(replace(last, fingerprint="another"))
    assert caught.value.reason == "unreadable"
    path.unlink()
    with pytest.raises(OSError, match=r"1\.parquet"):
        photographs.read(replace(last, fingerprint="a third"))


@pytest.mark.parametrize("content", [b"", b"half of i", b"it and something more"])
def test_a_file_that_is_not_as_long_as_it_was_is_for_another_try(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(b"half of it and all")
    [row] = rows_of(str(tmp_path))
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=f"changed since it was listed: it has {len(content)} bytes, and had 18") as e:
        photographs.read(row)
    assert e.value.reason == "unreadable"


def test_without_images_a_parquet_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="has 0 columns of bytes"):
        list_sources(str(tmp_path / "x.parquet"))


def test_a_pipe_is_accounted_for_and_hangs_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "list.txt").write_text("pipe.jpg\n")
    for where in (tmp_path, tmp_path / "list.txt"):
        [row] = rows_of(str(where))
        with pytest.raises(OSError, match="is not a regular file"):
            photographs.read(row)


@pytest.mark.parametrize("name", ["x.tar", "x[1].zip", "x.parquet", "list.txt"])
def test_a_pipe_or_device_in_place_of_a_container_hangs_nobody(tmp_path: Path, name: str) -> None:
    for make, folder in ((os.mkfifo, "pipe"), (lambda path: path.symlink_to("/dev/zero"), "device")):
        (tmp_path / folder).mkdir()
        make(tmp_path / folder / name)
        with pytest.raises(InputError, match="is not a regular file") as caught:
            list_sources(str(tmp_path / folder / name))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["x.tar", "x.zip"])
@pytest.mark.parametrize("where", ["in", "in/*", "list.txt"])
def test_a_pipe_among_others_is_named(tmp_path: Path, name: str, where: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"x")
    os.mkfifo(tmp_path / "in" / name)
    (tmp_path / "list.txt").write_text(f"in/a.jpg\nin/{name}\n")
    listing = list_sources(str(tmp_path / where))
    assert listing.sources.num_rows == 1
    assert listing.unlisted == [
        f"{tmp_path}/in/{name} cannot be read (is not a regular file): put a regular file there that you may read, or "
        "leave it out"
    ]


def test_times_in_tar_files_count_to_the_second(tmp_path: Path) -> None:
    seen = set()
    for moment in (1_767_323_456, 1_767_323_457):
        with tarfile.open(tmp_path / "x.tar", "w") as tar:
            info = tarfile.TarInfo("a.jpg")
            info.size, info.mtime = 1, moment
            tar.addfile(info, io.BytesIO(b"x"))
        seen.add(rows_of(str(tmp_path / "x.tar"))[0].fingerprint)
    assert len(seen) == 2
