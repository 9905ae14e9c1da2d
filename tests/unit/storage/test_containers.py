"""Tar and zip files are listed and read in place; damage never loses a file without an error."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable

import pytest

from colorize_core.errors import ImageError
from colorize_core.storage import containers
from colorize_core.storage.containers import list_contents, list_members, read_member
from tests.support.container_files import FILES, NOISE, Store, refusal, tar, zipped


def patched(content: bytes, field: int, value: bytes) -> bytes:
    """Returns a zip file of one member with a field replaced in the local header and in the central directory."""
    changed = bytearray(content)
    directory = content.index(b"PK\x01\x02")
    for at in (field, directory + field + 2):
        changed[at : at + len(value)] = value
    return bytes(changed)


FLAGS, METHOD, CHECKSUM, SIZE = 6, 8, 14, 22  # offsets of fields in the local header: APPNOTE.TXT, section 4.3.7


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


def test_folders_symbolic_links_and_devices_are_no_members(store: Store) -> None:
    buffer = io.BytesIO(tar({}))
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"{kind.decode()}.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("file.jpg"))
    contents = list_contents(store("x.tar", buffer.getvalue()))
    assert ([member.name for member in contents.members], contents.others) == (["file.jpg"], 3)
    path = store("x.zip", zipped({"folder.jpg/": b"", "folder.jpg/file.jpg": b"1"}))
    assert [member.name for member in list_members(path)] == ["folder.jpg/file.jpg"]


@pytest.mark.parametrize("suffix", ["tar", "zip"])
def test_members_of_one_name_are_told_apart(store: Store, suffix: str) -> None:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns about what this test makes on purpose
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


def test_members_of_a_zip_file_that_shrank_are_for_another_try(store: Store) -> None:
    members = list_members(store("x.zip", zipped(FILES)))
    store("x.zip", zipped(FILES)[:200])
    with pytest.raises(ImageError, match="has changed since it was listed: File is not a zip file") as caught:
        read_member(members[0])
    assert caught.value.reason == "unreadable"


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


@pytest.mark.parametrize(
    "content",
    [*(zipped(FILES)[:cut] for cut in (0, 1, 10, 100, -1, -30)), b"garbage" * 300],
    ids=["nothing", "1 byte", "10", "100", "all but 1", "all but 30", "garbage"],  # the content has the time in it
)
def test_a_zip_file_without_its_directory_is_refused(store: Store, content: bytes) -> None:
    refusal(store("x.zip", content))


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


@pytest.mark.parametrize("make", [tar, zipped])
def test_a_container_that_was_replaced_gives_no_other_photograph(store: Store, make: Callable[..., bytes]) -> None:
    """The members of the new container have the same sizes, and each is where another one was."""
    path = store("x.tar" if make is tar else "x.zip", make({"a.jpg": b"first", "b.jpg": b"other"}))
    members = list_members(path)
    store(path.rsplit("/", 1)[1], make({"0.jpg": b"thing", "a.jpg": b"first!", "b.jpg": b"other!"}))
    for member in members:
        with pytest.raises(ImageError) as caught:
            read_member(member)
        assert caught.value.reason in ("unreadable", "damaged")
