"""Photographs inside tar and zip files, read in place: nothing is ever unpacked to disk."""

from __future__ import annotations

import posixpath
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import IO

from colorize_core import storage
from colorize_core.errors import ImageError, InputError, one_line

ZIP_SUFFIXES, TAR_SUFFIXES = (".zip",), (".tar",)
PACKED_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_BYTES = 1 << 30  # of one member, unpacked: a zip member can claim a thousand times what it takes


@dataclass(frozen=True)
class Member:
    """A file in a container.

    ``offset`` is where its bytes begin in a tar file; a zip file finds its members by name.
    """

    container: str
    name: str
    size: int
    offset: int = 0


def is_container_name(name: str) -> bool:
    """Whether a file of this name is a tar or zip file whose members can be read one by one."""
    return name.lower().endswith((*ZIP_SUFFIXES, *TAR_SUFFIXES))


def list_members(path: str) -> list[Member]:
    """Every file in a tar or zip file, sorted by name; no folders, links or devices.

    Raises:
        InputError: the file is damaged, or a tar file as a whole is compressed.
    """
    if path.lower().endswith(PACKED_TAR_SUFFIXES):
        raise InputError(f"{path} is compressed as a whole, its files cannot be read one by one: unpack it to a .tar")
    try:
        if path.lower().endswith(ZIP_SUFFIXES):
            infos = _open_zip(path).infolist()
            members = [Member(path, info.filename, info.file_size) for info in infos if not info.is_dir()]
        else:
            with storage.open_file(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
                members = [Member(path, info.name, info.size, info.offset_data) for info in tar if info.isreg()]
                _check_end(tar, file)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{path} is damaged ({one_line(error)}): fetch it again") from error
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
    if not member.container.lower().endswith(ZIP_SUFFIXES):
        content = storage.read_range(member.container, member.offset, member.size)
        if len(content) != member.size:
            raise ImageError("damaged", f"the tar file ends {member.size - len(content)} bytes too early")
        return content
    try:
        # Its CRC is checked as the last byte is read; a member that goes on past its declared size fails there.
        return _open_zip(member.container).read(member.name)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, KeyError, ValueError) as error:
        raise ImageError("damaged", f"the zip member cannot be unpacked: {one_line(error)}") from error


def stream_tar(path: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of each file of a tar file, compressed or not, from front to end; read each before the next.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with storage.open_file(path) as file, tarfile.open(fileobj=file, mode="r|*") as tar:
            for info in tar:
                content = tar.extractfile(info) if info.isreg() else None
                if content is not None:
                    yield info.name, content
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise InputError(f"{path} is damaged ({one_line(error)}): fetch it again") from error


@lru_cache(maxsize=4)
def _open_zip(path: str) -> zipfile.ZipFile:
    """Kept open: a process reads many members, and the directory of a large file takes seconds to read."""
    return zipfile.ZipFile(storage.open_file(path))


def _check_end(tar: tarfile.TarFile, file: IO[bytes]) -> None:
    """tarfile takes a file that was cut off between two members, or inside the last, for a whole one."""
    last = tar.getmembers()[-1] if tar.getmembers() else None
    if last is not None:
        end = last.offset_data + last.size
        file.seek(0, 2)
        if file.tell() < end:
            raise tarfile.ReadError(f"it ends {end - file.tell()} bytes too early")
