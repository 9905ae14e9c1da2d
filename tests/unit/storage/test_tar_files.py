"""Tar files: links, damage, and files that are compressed as a whole."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from colorize_core.errors import ImageError
from colorize_core.storage import containers
from colorize_core.storage.containers import list_contents, list_members, read_from_tar, read_member, tar_names
from tests.support.container_files import FILES, NOISE, Store, refusal, tar, zipped


def _linked(*members: tuple[str, bytes, str]) -> bytes:
    """Returns a tar file of members (name, type, link target); a regular file contains the third value as text."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link if kind != tarfile.REGTYPE else ""
            info.size = len(link) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(link.encode()))
    return buffer.getvalue()


def test_a_hard_link_is_a_file(tmp_path: Path) -> None:
    for folder in ("in", "in/later"):
        (tmp_path / folder).mkdir()
    long = "l" * 120 + ".jpg"
    for name in ("a.jpg", long):
        (tmp_path / "in" / name).write_bytes(name.encode())
        os.link(tmp_path / "in" / name, tmp_path / "in" / "later" / name)
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "x.tar", "w", format=form) as archive:
            archive.add(tmp_path / "in", "./in")
            assert sum(info.islnk() for info in archive.getmembers()) == 2
        contents = list_contents(str(tmp_path / "x.tar"))
        read = {member.name.removeprefix("./"): read_member(member) for member in contents.members}
        assert read == {f"in/{f}{name}": name.encode() for f in ("", "later/") for name in ("a.jpg", long)}
        assert [member.size for member in contents.members] == [len(read_member(m)) for m in contents.members]
        assert contents.others == 0


def test_a_hard_link_means_the_last_file_of_its_name_before_it(store: Store) -> None:
    file, link, symbolic = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE
    content = _linked(
        ("a.jpg", file, "first"),
        ("1.jpg", link, "a.jpg"),
        ("a.jpg", file, "second"),
        ("2.jpg", link, "./a.jpg"),
        ("3.jpg", link, "2.jpg"),
        ("s.jpg", symbolic, "a.jpg"),
        ("4.jpg", link, "s.jpg"),
        ("a.jpg", file, "third"),
    )
    contents = list_contents(store("x.tar", content))
    assert [(member.name, read_member(member)) for member in contents.members] == [
        ("1.jpg", b"first"),
        ("2.jpg", b"second"),
        ("3.jpg", b"second"),
        ("a.jpg", b"first"),
        ("a.jpg", b"second"),
        ("a.jpg", b"third"),
    ]
    assert contents.others == 2


@pytest.mark.parametrize("target", ["/etc/passwd", "later.jpg", "x.jpg", ""])
def test_a_hard_link_to_nothing_is_a_damaged_member(store: Store, target: str) -> None:
    path = store("x.tar", _linked(("x.jpg", tarfile.LNKTYPE, target), ("later.jpg", tarfile.REGTYPE, "later")))
    bad = list_members(path)[1]
    with pytest.raises(ImageError, match=f"a hard link to {target}.*, which does not precede it") as caught:
        read_member(bad)
    assert (bad.name, caught.value.reason) == ("x.jpg", "damaged")


def test_names_that_are_no_utf8_in_a_tar_file(store: Store) -> None:
    [member] = list_members(store("x.tar", tar({"caf\udce9.jpg": b"1"})))
    assert (member.name, read_member(member)) == ("caf\udce9.jpg", b"1")


def test_a_tar_file_cut_off_anywhere_is_refused(store: Store) -> None:
    """The cuts include those between two files and before the end mark, which tarfile would accept."""
    content = tar(FILES)
    whole = 512 + 2560 + 512 + 512 + 512  # headers, contents to the next multiple of 512
    cuts = [*range(0, whole, 100), *range(0, whole + 1, 512), whole + 511]
    for cut in cuts:
        refusal(store("x.tar", content[:cut]))
    assert len(list_members(store("x.tar", content[: whole + 512]))) == 3


@pytest.mark.parametrize("junk", [b"junk" * 128, bytes(512)], ids=["damaged", "zeros"])
def test_a_tar_file_with_a_lost_header_is_refused(store: Store, junk: bytes) -> None:
    content = tar(FILES)
    at = content.index(b"album/a.jpg")
    refusal(store("x.tar", content[:at] + junk + content[at + 512 :]))


@pytest.mark.parametrize("content", [b"", b"garbage" * 300, zipped(FILES), tar(FILES, "w:gz")])
def test_what_is_no_tar_file_is_refused(store: Store, content: bytes) -> None:
    refusal(store("x.tar", content))


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".TAR.GZ"])
def test_a_compressed_tar_file_is_not_for_single_files(store: Store, suffix: str) -> None:
    assert "unpack it to a .tar" in refusal(store(f"x{suffix}", tar(FILES, "w:gz")))
    assert not containers.is_container_name(f"x{suffix}")
    assert containers.is_packed_name(f"x{suffix}")


def test_members_of_a_tar_file_that_shrank_are_for_another_try(store: Store) -> None:
    members = list_members(store("x.tar", tar(FILES)))
    store("x.tar", tar(FILES)[:900])
    for member in members[:2]:
        with pytest.raises(ImageError, match=r"has changed since it was listed: \d+ of \d+ bytes are left") as caught:
            read_member(member)
        assert caught.value.reason == "unreadable"


def test_a_sparse_member_is_not_taken_for_its_pieces(tmp_path: Path) -> None:
    with (tmp_path / "a.bmp").open("wb") as file:
        file.truncate(1 << 20)
        file.write(b"begin")
    try:
        subprocess.run(["tar", "--sparse", "-cf", "x.tar", "a.bmp"], cwd=tmp_path, check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("no GNU tar here")
    [member] = list_members(str(tmp_path / "x.tar"))
    assert member.size == 1 << 20
    with pytest.raises(ImageError, match="sparse file") as caught:
        read_member(member)
    assert caught.value.reason == "unsupported"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_file_is_read_from_front_to_end_however_compressed(store: Store, mode: str) -> None:
    path = store("x", tar(FILES, mode))
    assert tar_names(path) == list(FILES)
    assert {name: read_from_tar(path, name) for name in FILES} == FILES
    assert "no c.jpg in" in refusal(path, lambda path: read_from_tar(path, "c.jpg"))


def test_a_gzip_file_of_several_parts_is_one(store: Store) -> None:
    content = tar(FILES)
    path = store("x.tar.gz", gzip.compress(content[:700]) + gzip.compress(content[700:]))
    assert read_from_tar(path, "b.jpg") == FILES["b.jpg"]
    assert tar_names(path) == list(FILES)


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar_file_that_is_damaged_is_refused(store: Store, mode: str) -> None:
    content = tar({f"{i}.bin": NOISE[i:] for i in range(5)}, mode)
    for cut in range(0, len(content) - 10, len(content) // 20):
        refusal(store("x", content[:cut]), tar_names)
    flipped = bytearray(content)
    for at in range(len(content) // 4, len(content) // 2, 7):
        flipped[at] ^= 0xFF
    refusal(store("x", bytes(flipped)), tar_names)


def test_the_checksum_of_a_gzip_file_is_looked_at(store: Store) -> None:
    content = bytearray(tar(FILES, "w:gz"))
    content[-8] ^= 1
    assert "CRC" in refusal(store("x.tar.gz", bytes(content)), tar_names)


def test_a_file_too_large_is_not_unpacked_from_a_tar_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MAX_BYTES", 1000)
    message = refusal(store("x.tgz", tar(FILES, "w:gz")), lambda path: read_from_tar(path, "b.jpg"))
    assert "2100 bytes unpacked, more than 1000" in message
