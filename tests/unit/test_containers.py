"""Tar and zip files: what is in them, read in place; and damage, of which no file may be lost in silence."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core import containers
from colorize_core.containers import list_members, read_from_tar, read_member, tar_names
from colorize_core.errors import ImageError, InputError

Files = dict[str, bytes]
FILES = {"b.jpg": b"two" * 700, "album/a.jpg": b"one", "empty.jpg": b""}


def tar(files: Files, mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def patched(content: bytes, field: int, value: bytes) -> bytes:
    """A zip file of one member, with other bytes in a field of its local header, and in the same of its directory."""
    changed = bytearray(content)
    directory = content.index(b"PK\x01\x02")
    for at in (field, directory + field + 2):
        changed[at : at + len(value)] = value
    return bytes(changed)


FLAGS, METHOD, CHECKSUM, SIZE = 6, 8, 14, 22  # of the local header: APPNOTE.TXT, section 4.3.7


@pytest.fixture
def store(tmp_path: Path) -> Callable[[str, bytes], str]:
    def write(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


Store = Callable[[str, bytes], str]


def refusal(path: str, call: Callable[[str], object] = list_members) -> str:
    with pytest.raises(InputError) as caught:
        call(path)
    message = str(caught.value)
    assert path in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["x.tar", "x.zip", "X.TAR", "X.ZIP"])
def test_members_are_sorted_and_read_one_by_one(store: Store, name: str) -> None:
    path = store(name, (zipped if name.lower().endswith("zip") else tar)(FILES))
    members = list_members(path)
    assert [(member.name, member.size) for member in members] == [("album/a.jpg", 3), ("b.jpg", 2100), ("empty.jpg", 0)]
    assert {member.name: read_member(member) for member in reversed(members)} == FILES


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_method_of_a_zip_file(store: Store, method: int) -> None:
    members = list_members(store("x.zip", zipped(FILES, method)))
    assert {member.name: read_member(member) for member in members} == FILES


def test_folders_links_and_devices_are_no_members(store: Store) -> None:
    buffer = io.BytesIO(tar({}))
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"{kind.decode()}.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("file.jpg"))
    assert [member.name for member in list_members(store("x.tar", buffer.getvalue()))] == ["file.jpg"]
    path = store("x.zip", zipped({"folder.jpg/": b"", "folder.jpg/file.jpg": b"1"}))
    assert [member.name for member in list_members(path)] == ["folder.jpg/file.jpg"]


@pytest.mark.parametrize("suffix", ["tar", "zip"])
def test_members_of_one_name_are_told_apart(store: Store, suffix: str) -> None:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's, of the very thing that is made here
        if suffix == "zip":
            with zipfile.ZipFile(buffer, "w") as archive:
                for content in ("first", "second"):
                    archive.writestr("a.jpg", content)
        else:
            with tarfile.open(fileobj=buffer, mode="w") as packed:
                for content in (b"first", b"second"):
                    info = tarfile.TarInfo("a.jpg")
                    info.size = len(content)
                    packed.addfile(info, io.BytesIO(content))
    members = list_members(store(f"x.{suffix}", buffer.getvalue()))
    assert [(member.size, read_member(member)) for member in members] == [(5, b"first"), (6, b"second")]


def test_names_that_are_no_utf8_in_a_tar_file(store: Store) -> None:
    [member] = list_members(store("x.tar", tar({"caf\udce9.jpg": b"1"})))
    assert (member.name, read_member(member)) == ("caf\udce9.jpg", b"1")


def test_names_of_old_zip_files_are_of_dos(store: Store) -> None:
    content = patched(zipped({"café.jpg": b"1"}), FLAGS, b"\x00\x00").replace("café".encode(), b"cafe\x82")
    [member] = list_members(store("x.zip", content))
    assert (member.name, read_member(member)) == ("cafeé.jpg", b"1")


def test_a_zip_file_whose_names_lie_about_utf8_is_refused(store: Store) -> None:
    content = zipped({"café.jpg": b"1"}).replace("é".encode(), b"\xe9\xe9")
    assert "can't decode" in refusal(store("x.zip", content))


@pytest.mark.parametrize(
    "name", ["../x.jpg", "../../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "..\\x.jpg", "a\\..\\x.jpg"]
)
def test_names_that_lead_outside(name: str) -> None:
    assert containers.leads_outside(name)


@pytest.mark.parametrize(
    "name", ["x.jpg", "./x.jpg", "a/b/x.jpg", "..x.jpg", "a/x...jpg", "a\\x.jpg", "...", "a//x.jpg"]
)
def test_names_that_stay_inside(name: str) -> None:
    assert not containers.leads_outside(name)


def test_a_tar_file_cut_off_anywhere_is_refused(store: Store) -> None:
    """Also between two files, and in front of the end mark: tarfile would take it for whole."""
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


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".TAR.GZ"])
def test_a_compressed_tar_file_is_not_for_single_files(store: Store, suffix: str) -> None:
    assert "unpack it to a .tar" in refusal(store(f"x{suffix}", tar(FILES, "w:gz")))
    assert not containers.is_container_name(f"x{suffix}")


def test_a_tar_file_that_shrank_gives_damaged_members(store: Store) -> None:
    members = list_members(store("x.tar", tar(FILES)))
    store("x.tar", tar(FILES)[:900])
    for member in members[:2]:
        with pytest.raises(ImageError, match=r"ends \d+ bytes too early"):
            read_member(member)


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
    with pytest.raises(ImageError, match="in pieces") as caught:
        read_member(member)
    assert caught.value.reason == "unsupported"


@pytest.mark.parametrize("content", [*(zipped(FILES)[:cut] for cut in (0, 1, 10, 100, -1, -30)), b"garbage" * 300])
def test_a_zip_file_without_its_directory_is_refused(store: Store, content: bytes) -> None:
    refusal(store("x.zip", content))


NOISE = bytes(range(256)) * 40


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (patched(zipped({"a": NOISE}), CHECKSUM, b"1234"), "Bad CRC-32"),
        (patched(zipped({"a": NOISE}), FLAGS, b"\x01\x00"), "encrypted"),
        (patched(zipped({"a": NOISE}), METHOD, b"\x63\x00"), "compression method"),
        (patched(zipped({"a": NOISE}), SIZE, b"\x00\x10\x00\x00"), "Bad CRC-32"),
        (zipped({"a": NOISE})[:31] + b"\xff" * 40 + zipped({"a": NOISE})[71:], "invalid"),
        (b"gone" + zipped({"a": NOISE})[4:], "header"),
    ],
    ids=["checksum", "encrypted", "method", "goes on", "stream", "no member"],
)
def test_a_member_that_cannot_be_unpacked_is_an_image_error(store: Store, content: bytes, says: str) -> None:
    path = store("x.zip", content)
    for member in list_members(path):
        with pytest.raises(ImageError, match=says) as caught:
            read_member(member)
        assert caught.value.reason == "damaged"
        assert "\n" not in caught.value.message


@pytest.mark.parametrize("suffix", ["tar", "zip"])
def test_a_member_larger_than_any_photograph_is_not_unpacked(
    store: Store, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(containers, "MAX_BYTES", 1000)
    files = {"fits.jpg": bytes(1000), "large.jpg": bytes(1001)}
    fits, large = list_members(store(f"x.{suffix}", (zipped if suffix == "zip" else tar)(files)))
    assert len(read_member(fits)) == 1000
    with pytest.raises(ImageError, match="1001 bytes unpacked are more than 1000") as caught:
        read_member(large)
    assert caught.value.reason == "too_large"


def test_a_bomb_that_says_it_is_small_is_not_unpacked(store: Store) -> None:
    bomb = patched(zipped({"a.jpg": bytes(50 << 20)}), SIZE, b"\x00\x10\x00\x00")
    [member] = list_members(store("x.zip", bomb))
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="Bad CRC-32"):
            read_member(member)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_zip_file_that_was_exchanged_is_read_anew(store: Store) -> None:
    for content in (b"old", b"newer"):
        [member] = list_members(store("x.zip", zipped({"a.jpg": content})))
        assert read_member(member) == content


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
