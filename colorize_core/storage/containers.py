"""Photographs inside tar and zip files, read in place: nothing is ever unpacked to disk."""

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
PACKED = "compressed as a whole, its files cannot be read one by one: unpack it to a .tar"
MAX_BYTES = 1 << 30  # of one member, unpacked: a zip member can claim a thousand times what it takes
_BLOCK = 1 << 14  # as much is unpacked at once: what a zip member claims to be and what it becomes may differ
_IN_PIECES, _NO_TARGET = -1, -2
_HEADER = 512  # bytes before the content of a member of a tar file
_NAME = 100  # of them for its name
_CHANGED = "its container has changed since it was listed"


@dataclass(frozen=True)
class Member:
    """A file in a container.

    ``place`` is where its bytes begin in a tar file, below 0 where they are in pieces or missing. In a zip file it is
    the number of its entry, as several may have one name. ``stamp`` changes when the content does: a CRC, or the time
    at which the file was changed that went into a tar file. ``stored_as`` is the name under which its bytes stand,
    where it is a hard link: tar files hold a file of two names once.
    """

    container: str
    name: str
    size: int
    place: int
    stamp: str = ""
    stored_as: str = ""


@dataclass(frozen=True)
class Contents:
    """The files of a container, sorted by name; and how many symbolic links, pipes and devices are beside them."""

    members: list[Member]
    others: int = 0


def is_container_name(name: str) -> bool:
    """Whether a file of this name is a tar or zip file whose members can be read one by one."""
    return name.lower().endswith((*ZIP_SUFFIXES, *TAR_SUFFIXES))


def is_packed_name(name: str) -> bool:
    """Whether a file of this name is a tar file that is compressed as a whole: its members cannot be looked into."""
    return name.lower().endswith(PACKED_TAR_SUFFIXES)


def list_members(path: str) -> list[Member]:
    """Every file in a tar or zip file, sorted by name. Raises InputError as ``look_into`` does."""
    return look_into(path).members


def look_into(path: str) -> Contents:
    """What is in a tar or zip file, folders left out.

    Raises:
        InputError: the file is damaged or cannot be read, or a tar file as a whole is compressed.
    """
    if is_packed_name(path):
        raise InputError(f"{printable(path)} is {PACKED}")
    if path.lower().endswith(ZIP_SUFFIXES):
        _open_zip.cache_clear()  # the file may be another one by now
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
    """A file, or a further name of one that came ``before``; None where it is neither."""
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
    """Whether a member's name points out of its container: such a name is somebody's trap."""
    return posixpath.isabs(name) or ".." in PurePosixPath(name.replace("\\", "/")).parts


def read_member(member: Member) -> bytes:
    """The content of one member.

    Raises:
        ImageError: it is damaged, encrypted, or would unpack to more than a photograph has.
        OSError: the container cannot be read.
    """
    if member.size > MAX_BYTES:
        raise ImageError("too_large", f"{member.size} bytes unpacked are more than {MAX_BYTES}")
    if member.container.lower().endswith(ZIP_SUFFIXES):
        return _read_zipped(member)
    if member.place == _IN_PIECES:
        raise ImageError("unsupported", "the tar file holds it in pieces, as --sparse makes them")
    if member.place == _NO_TARGET:
        words = "which does not come before it in the tar file"
        raise ImageError("damaged", f"a hard link to {printable(member.stored_as or member.name)}, {words}")
    content = storage.read_range(member.container, member.place - _HEADER, _HEADER + member.size)
    if len(content) != _HEADER + member.size:
        # Whoever lists a tar file has come to its end.
        short = _HEADER + member.size - len(content)
        raise ImageError("unreadable", f"{_CHANGED}: it ends {short} bytes too early")
    _check_header(content[:_HEADER], member)
    return content[_HEADER:]


def _check_header(header: bytes, member: Member) -> None:
    """The tar file may be another one than when it was listed."""
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise ImageError("unreadable", f"{_CHANGED} ({one_line(error)})") from error
    listed = float(member.stamp.partition("-")[2] or info.mtime)
    # What does not fit into these fields stands before them, and they are cut or 0.
    name = member.stored_as or member.name
    other_name = name.isascii() and len(name) <= _NAME and info.name != name
    other_size = info.size and info.size != member.size
    if other_name or other_size or (info.mtime and abs(info.mtime - listed) > 1):  # it is rounded there
        raise ImageError("unreadable", _CHANGED)


def tar_names(path: str) -> list[str]:
    """The name of each file of a tar file, compressed or not; reads it from front to end.

    Raises:
        InputError: it is damaged or cannot be read.
    """
    with _open_tar(path, "r:*") as tar:
        return [info.name for info in _files(tar)]


def read_from_tar(path: str, name: str) -> bytes:
    """The content of the first file of a name in a tar file, compressed or not; reads all that is in front of it.

    Raises:
        InputError: it is damaged or cannot be read, has no such file, or the file has more than ``MAX_BYTES``.
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
            # Its CRC is checked as the last byte is read; a member that goes on past its declared size fails there.
            return b"".join(iter(partial(file.read, _BLOCK), b""))
    except (OSError, ImageError):
        raise
    except Exception as error:  # zipfile and its decompressors raise a dozen types on damaged data
        raise ImageError("damaged", f"the zip member cannot be unpacked: {one_line(error)}") from error


@lru_cache(maxsize=4)
def _open_zip(path: str, stamp: str) -> zipfile.ZipFile:
    """Kept open: a process reads many members, and the directory of a large file takes seconds to read."""
    return zipfile.ZipFile(storage.open_file(path))


def _local_stamp(path: str) -> str:
    """Changes when a file on this machine does; of a store that would be one more question for each member."""
    entry = storage.look(path) if storage.is_local(path) else None
    return entry.stamp if entry else ""


class _Header(tarfile.TarInfo):
    """tarfile takes a header that is damaged or not there for the end; what follows would be lost in silence."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Any:
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the end mark; typeshed lacks it
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
    while tar.fileobj and (block := tar.fileobj.read(_BLOCK)):  # to the end: only there a .gz file has its checksum
        if block.strip(b"\0"):
            raise tarfile.ReadError("something follows after its end mark")


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except PermissionError as error:
        words = one_line(error).removeprefix(f"{path}: ")
        raise InputError(f"{printable(path)} cannot be read ({words}): {NEED_READABLE}") from error
    except Exception as error:  # each kind of archive and of compression has its own exceptions for damage
        raise InputError(
            f"{printable(path)} cannot be read or is damaged ({one_line(error)}): fetch it again"
        ) from error
