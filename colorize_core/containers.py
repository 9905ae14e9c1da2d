"""Photographs inside tar and zip files, read in place: nothing is ever unpacked to disk."""

from __future__ import annotations

import posixpath
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import PurePosixPath
from typing import Any, Literal

from colorize_core import storage
from colorize_core.errors import ImageError, InputError, one_line, printable

ZIP_SUFFIXES, TAR_SUFFIXES = (".zip",), (".tar",)
PACKED_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
PACKED = "compressed as a whole, its files cannot be read one by one: unpack it to a .tar"
MAX_BYTES = 1 << 30  # of one member, unpacked: a zip member can claim a thousand times what it takes
_BLOCK = 1 << 14  # as much is unpacked at once: what a zip member claims to be and what it becomes may differ
_IN_PIECES = -1


@dataclass(frozen=True)
class Member:
    """A file in a container.

    ``place`` is where its bytes begin in a tar file, below 0 where they are in pieces. In a zip file it is the number
    of its entry, as several may have one name.
    """

    container: str
    name: str
    size: int
    place: int


def is_container_name(name: str) -> bool:
    """Whether a file of this name is a tar or zip file whose members can be read one by one."""
    return name.lower().endswith((*ZIP_SUFFIXES, *TAR_SUFFIXES))


def list_members(path: str) -> list[Member]:
    """Every file in a tar or zip file, sorted by name; no folders, links or devices.

    Raises:
        InputError: the file is damaged or cannot be read, or a tar file as a whole is compressed.
    """
    if path.lower().endswith(PACKED_TAR_SUFFIXES):
        raise InputError(f"{printable(path)} is {PACKED}")
    if path.lower().endswith(ZIP_SUFFIXES):
        _open_zip.cache_clear()  # the file may be another one by now
        with _explained(path), storage.open_file(path) as file, zipfile.ZipFile(file) as archive:
            infos = enumerate(archive.infolist())
            members = [Member(path, info.filename, info.file_size, i) for i, info in infos if not info.is_dir()]
    else:
        with _open_tar(path, "r:") as tar:
            members = [
                Member(path, info.name, info.size, _IN_PIECES if info.issparse() else info.offset_data)
                for info in _files(tar)
            ]
    return sorted(members, key=lambda member: member.name)


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
    content = storage.read_range(member.container, member.place, member.size)
    if len(content) != member.size:
        raise ImageError("damaged", f"the tar file ends {member.size - len(content)} bytes too early")
    return content


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
        archive = _open_zip(member.container)
        info = archive.infolist()[member.place]
        with archive.open(info) as file:
            # Its CRC is checked as the last byte is read; a member that goes on past its declared size fails there.
            return b"".join(iter(partial(file.read, _BLOCK), b""))
    except OSError:
        raise
    except Exception as error:  # zipfile and its decompressors raise a dozen types on damaged data
        raise ImageError("damaged", f"the zip member cannot be unpacked: {one_line(error)}") from error


@lru_cache(maxsize=4)
def _open_zip(path: str) -> zipfile.ZipFile:
    """Kept open: a process reads many members, and the directory of a large file takes seconds to read."""
    return zipfile.ZipFile(storage.open_file(path))


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
    for info in tar:
        if info.isreg():
            yield info
    while tar.fileobj and (block := tar.fileobj.read(_BLOCK)):  # to the end: only there a .gz file has its checksum
        if block.strip(b"\0"):
            raise tarfile.ReadError("something follows after its end mark")


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # each kind of archive and of compression has its own exceptions for damage
        raise InputError(
            f"{printable(path)} cannot be read or is damaged ({one_line(error)}): fetch it again"
        ) from error
