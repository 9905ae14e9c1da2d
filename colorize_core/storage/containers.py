"""Lists and reads the members of tar and zip files in place: nothing is unpacked to disk."""

from __future__ import annotations

import posixpath
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import PurePosixPath
from typing import Any, Literal

from colorize_core import storage
from colorize_core.errors import NEED_READABLE, ImageError, InputError, one_line, printable

ZIP_SUFFIXES, TAR_SUFFIXES = (".zip",), (".tar",)
PACKED_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
PACKED = "compressed as a whole, so its files cannot be read one by one: unpack it to a .tar"
MAX_BYTES = 1 << 30  # bytes of one unpacked member: a zip member can unpack to a thousand times its size
_BLOCK = 1 << 14  # bytes that are unpacked at a time: the size that a zip member declares may be wrong
_IN_PIECES, _NO_TARGET = -1, -2  # values of Member.place
_HEADER = 512  # bytes of the header before the content of a tar member
_NAME = 100  # bytes of the name in that header
_CHANGED = "its container has changed since it was listed"


@dataclass(frozen=True)
class Member:
    """A file in a container.

    Attributes:
        container: path of the tar or zip file.
        name: name of the member, as stored.
        size: bytes, unpacked.
        place: in a tar file, the offset of the content; below 0 if the content is in pieces or missing. In a zip file,
            the index of the entry, since several entries may have one name.
        stamp: text that changes when the content changes: size and CRC in a zip file, size and mtime in a tar file.
        stored_as: for a hard link in a tar file, the name of the member that holds the content; else ''.
    """

    container: str
    name: str
    size: int
    place: int
    stamp: str = ""
    stored_as: str = ""


@dataclass(frozen=True)
class Contents:
    """The content of a container.

    Attributes:
        members: the files, sorted by name.
        others: number of symbolic links, pipes and devices, which are not among the members.
    """

    members: list[Member]
    others: int = 0


def is_container_name(name: str) -> bool:
    """Returns True for the name of a tar or zip file whose members can be read one by one."""
    return name.lower().endswith((*ZIP_SUFFIXES, *TAR_SUFFIXES))


def is_packed_name(name: str) -> bool:
    """Returns True for the name of a tar file that is compressed as a whole, such as ``scans.tar.gz``."""
    return name.lower().endswith(PACKED_TAR_SUFFIXES)


def list_members(path: str) -> list[Member]:
    """Returns the files in a tar or zip file, sorted by name. Raises InputError as ``list_contents`` does."""
    return list_contents(path).members


def list_contents(path: str) -> Contents:
    """Lists a tar or zip file, without its folders.

    Raises:
        InputError: the file is damaged, cannot be read, or is a tar file that is compressed as a whole.
    """
    if is_packed_name(path):
        raise InputError(f"{printable(path)} is {PACKED}")
    if path.lower().endswith(ZIP_SUFFIXES):
        _open_zip.cache_clear()  # the file may have been replaced
        with _explained(path), storage.open_file(path) as file, zipfile.ZipFile(file) as archive:
            infos = enumerate(archive.infolist())
            members = [
                Member(path, info.filename, info.file_size, i, f"{info.file_size}-{info.CRC:08x}")
                for i, info in infos
                if not info.is_dir()
            ]
        return Contents(_by_name(members))
    before: dict[str, Member | None] = {}
    members, others = [], 0
    with _open_tar(path, "r:") as tar:
        for info in _infos(tar):
            if not info.isdir():
                member = _member(path, info, before)
                before[posixpath.normpath(info.name)] = member
                members += [member] if member else []
                others += member is None
    return Contents(_by_name(members), others)


def _by_name(members: list[Member]) -> list[Member]:
    return sorted(members, key=lambda member: member.name)


def _member(path: str, info: tarfile.TarInfo, before: Mapping[str, Member | None]) -> Member | None:
    """Returns the member for a file, or for a hard link to a file ``before`` it; None for anything else."""
    stamp = f"{info.size}-{float(info.mtime)!r}"
    if info.isreg():
        return Member(path, info.name, info.size, _IN_PIECES if info.issparse() else info.offset_data, stamp)
    if not info.islnk():
        return None
    target = posixpath.normpath(info.linkname)
    if target not in before:
        return Member(path, info.name, 0, _NO_TARGET, stamp, info.linkname)
    first = before[target]
    return first and replace(first, name=info.name, stored_as=first.stored_as or first.name)


def leads_outside(name: str) -> bool:
    """Returns True if a member's name points outside of its container, as in an attack ("../../etc/passwd")."""
    return posixpath.isabs(name) or ".." in PurePosixPath(name.replace("\\", "/")).parts


def read_member(member: Member) -> bytes:
    """Returns the content of one member.

    Raises:
        ImageError: the member is damaged, encrypted, or would unpack to more than 1 GiB.
        OSError: the container cannot be read.
    """
    if member.size > MAX_BYTES:
        raise ImageError("too_large", f"{member.size} bytes unpacked are more than {MAX_BYTES}")
    if member.container.lower().endswith(ZIP_SUFFIXES):
        return _read_zipped(member)
    if member.place == _IN_PIECES:
        raise ImageError("unsupported", "it is a sparse file in the tar file: pack it without --sparse")
    if member.place == _NO_TARGET:
        target = printable(member.stored_as or member.name)
        raise ImageError("damaged", f"it is a hard link to {target}, which does not precede it in the tar file")
    content = storage.read_range(member.container, member.place - _HEADER, _HEADER + member.size)
    if len(content) != _HEADER + member.size:
        # Listing a tar file reads it to its end, so the file has been cut since.
        raise ImageError("unreadable", f"{_CHANGED}: {len(content)} of {_HEADER + member.size} bytes are left")
    _check_header(content[:_HEADER], member)
    return content[_HEADER:]


def _check_header(header: bytes, member: Member) -> None:
    """Compares the member's header with the listing. Raises ImageError if the tar file was replaced since."""
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise ImageError("unreadable", f"{_CHANGED} ({one_line(error)})") from error
    listed = float(member.stamp.partition("-")[2] or info.mtime)
    # Values that do not fit into these fields are stored in an extra header; the fields are truncated or 0 then.
    name = member.stored_as or member.name
    other_name = name.isascii() and len(name) <= _NAME and info.name != name
    other_size = info.size and info.size != member.size
    if other_name or other_size or (info.mtime and abs(info.mtime - listed) > 1):  # the header rounds mtime
        raise ImageError("unreadable", _CHANGED)


def tar_names(path: str) -> list[str]:
    """Returns the name of each file in a tar file, compressed or not. Reads the whole file.

    Raises:
        InputError: the tar file is damaged or cannot be read.
    """
    with _open_tar(path, "r:*") as tar:
        return [info.name for info in _files(tar)]


def read_from_tar(path: str, name: str) -> bytes:
    """Returns the content of the first file with a name in a tar file, compressed or not. Reads all before the file.

    Raises:
        InputError: the tar file is damaged, cannot be read or has no such file, or the file exceeds ``MAX_BYTES``.
    """
    with _open_tar(path, "r:*") as tar:
        for info in _files(tar):
            if info.name == name:
                if info.size > MAX_BYTES:
                    raise InputError(f"{name} in {path} has {info.size} bytes unpacked, more than {MAX_BYTES}")
                content = tar.extractfile(info)
                return content.read() if content else b""
    raise InputError(f"no {name} in {path}: fetch it again")


def _read_zipped(member: Member) -> bytes:
    try:
        archive = _open_zip(member.container, _local_stamp(member.container))
    except zipfile.BadZipFile as error:
        raise ImageError("unreadable", f"{_CHANGED}: {one_line(error)}") from error
    try:
        infos = archive.infolist()
        info = infos[member.place] if member.place < len(infos) else None
        if info is None or info.filename != member.name or member.stamp not in ("", f"{info.file_size}-{info.CRC:08x}"):
            raise ImageError("unreadable", _CHANGED)
        with archive.open(info) as file:
            # zipfile checks the CRC at the last byte; a member that is longer than its declared size fails there.
            return b"".join(iter(partial(file.read, _BLOCK), b""))
    except (OSError, ImageError):
        raise
    except Exception as error:  # zipfile and its decompressors raise a dozen types on damaged data
        raise ImageError("damaged", f"the zip member cannot be unpacked: {one_line(error)}") from error


@lru_cache(maxsize=4)
def _open_zip(path: str, stamp: str) -> zipfile.ZipFile:
    """Opens a zip file and keeps it open: reading the directory of a large one takes seconds."""
    return zipfile.ZipFile(storage.open_file(path))


def _local_stamp(path: str) -> str:
    """Returns the stamp of a local file; '' for a store, where it would cost one more request per member."""
    entry = storage.stat(path) if storage.is_local(path) else None
    return entry.stamp if entry else ""


class _Header(tarfile.TarInfo):
    """A tar header that raises ReadError if it is damaged or missing. tarfile would silently end the listing there."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Any:
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # raised at the end mark; typeshed lacks it
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{one_line(error)} at byte {tar.offset}, in place of a file or the end") from error


@contextmanager
def _open_tar(path: str, mode: Literal["r:", "r:*"]) -> Iterator[tarfile.TarFile]:
    with (
        _explained(path),
        storage.open_file(path) as file,
        tarfile.open(fileobj=file, mode=mode, tarinfo=_Header) as tar,
    ):
        yield tar


def _files(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    return (info for info in _infos(tar) if info.isreg())


def _infos(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    yield from tar
    while tar.fileobj and (block := tar.fileobj.read(_BLOCK)):  # a .gz file has its checksum at the end
        if block.strip(b"\0"):
            raise tarfile.ReadError("there is data after the end mark")


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except PermissionError as error:
        words = one_line(error).removeprefix(f"{path}: ")
        raise InputError(f"{printable(path)} cannot be read ({words}): {NEED_READABLE}") from error
    except Exception as error:  # each archive and compression format has its own exceptions
        raise InputError(
            f"{printable(path)} cannot be read or is damaged ({one_line(error)}): fetch it again"
        ) from error
