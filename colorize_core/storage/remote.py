"""Lists and reads files in stores. Listings raise an error instead of silently leaving out a folder; reads retry."""

from __future__ import annotations

import errno
import io
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from colorize_core.storage import retry, stores

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_T = TypeVar("_T")
Info = dict[str, Any]  # the result of fsspec's ``info`` for a file or folder


@dataclass(frozen=True)
class Entry:
    """A stored file, as listings return it.

    Attributes:
        path: path or URL, as ``storage.read`` takes it.
        name: the part of the path below the listed folder, with ``/`` between its parts.
        size: bytes.
        stamp: text that changes when the content changes: mtime in nanoseconds, or the store's ETag. '' if unknown.
    """

    path: str
    name: str
    size: int
    stamp: str


def ask(path: str, question: Callable[[Any, str], _T]) -> _T:
    """Calls a function with the file system of a path, with retries, and returns its result. Raises OSError."""
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        return question(filesystem, inner)
    return retry.call(path, lambda: question(filesystem, inner))


def info_of(path: str) -> Info | None:
    """Returns fsspec's facts on a file or folder; None if it does not exist. Raises OSError."""

    def find(filesystem: Any, inner: str) -> Info | None:
        try:
            info: Info = filesystem.info(inner)
        except FileNotFoundError as error:
            if retry.is_absent(error):
                return None
            raise
        return info

    return ask(path, find)


def list_folder(path: str, filesystem: Any, inner: str) -> list[Info]:
    """Lists files and folders directly in the folder ``inner``; none if it does not exist. Raises OSError."""
    try:
        infos: list[Info] = retry.call(path, partial(filesystem.ls, inner, detail=True))
    except FileNotFoundError:
        return []
    return [info for info in infos if info["name"].rstrip("/") != inner.rstrip("/")]


def tree(path: str, filesystem: Any, inner: str) -> list[Info]:
    """Lists all files and folders below the folder ``inner``. Raises OSError."""
    if isinstance(filesystem, AsyncFileSystem) and type(filesystem)._find is not AsyncFileSystem._find:
        # The store lists all keys below a prefix with few requests.
        found: Mapping[str, Info] = retry.call(path, partial(filesystem.find, inner, detail=True))
        return list(found.values())
    infos = list_folder(path, filesystem, inner)  # fsspec's own walk silently skips what it cannot list
    below = (tree(path, filesystem, info["name"]) for info in infos if info["type"] == "directory")
    return infos + [info for infos in below for info in infos]


class RemoteFile(io.RawIOBase):
    """An open file in a store. Failed reads are retried."""

    def __init__(self, path: str, file: Any) -> None:
        self._path, self._file = path, file
        self._is_stream = getattr(file, "size", None) is None  # a stream cannot repeat a read

    def readable(self) -> bool:
        """Returns True."""
        return True

    def seekable(self) -> bool:
        """Returns True if the file can be read in any order."""
        return bool(self._file.seekable())

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Sets the position of the next read and returns it."""
        self._file.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        """Returns the position of the next read."""
        return int(self._file.tell())

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Reads into a buffer and returns the number of bytes read. Raises OSError."""
        view = memoryview(buffer).cast("B")
        try:
            content = self._file.read(len(view))
        except Exception as error:
            if self._is_stream:
                raise retry.failure(self._path, error) from error
            content = retry.call(self._path, partial(self._file.read, len(view)))
        view[: len(content)] = content
        return len(content)

    def close(self) -> None:
        """Closes the connection."""
        if not self.closed:
            self._file.close()
        super().close()


def drop(filesystem: Any, inner: str, is_folder: bool) -> None:
    """Removes a file, or a folder with all its content, and checks that nothing is left. Raises the store's errors."""
    with suppress(FileNotFoundError):  # an earlier attempt removed it, and the answer was lost
        filesystem.rm(inner, recursive=True) if is_folder else filesystem.rm_file(inner)
    left = filesystem.find(inner) if is_folder else []  # s3fs does not report files that it could not remove
    if left:
        raise BlockingIOError(errno.EAGAIN, f"{len(left)} files in it could not be removed")


def glob(path: str, filesystem: Any, inner: str, plain: str) -> list[Info]:
    """Lists what a glob pattern matches in a store. Raises OSError.

    fsspec's own ``glob`` treats a folder that it cannot list as empty.

    Args:
        path: the pattern as the user gave it, for messages.
        filesystem: the store.
        inner: the pattern in the store.
        plain: the last folder before the first wildcard.
    """
    if "**" in inner:
        whole = re.compile(glob_translate(inner))
        return [info for info in tree(path, filesystem, plain) if whole.match(info["name"])]
    found: list[Info] = [{"name": plain, "type": "directory"}]
    for part in inner[len(plain) :].strip("/").split("/"):
        fitting = re.compile(glob_translate(part))
        infos = (i for f in found if f["type"] == "directory" for i in list_folder(path, filesystem, f["name"]))
        found = [info for info in infos if fitting.match(posixpath.basename(info["name"].rstrip("/")))]
    return found


def entries(filesystem: Any, infos: Iterable[Info], root: str) -> Iterator[Entry]:
    """Yields the files among ``infos``, sorted, with names relative to ``root``."""
    for info in sorted(infos, key=lambda info: str(info["name"])):
        inner = info["name"]
        if info["type"] == "file" and not inner.endswith("/"):  # an object "folder/" marks a folder
            name = posixpath.relpath(inner, root or "/")
            yield Entry(filesystem.unstrip_protocol(inner), name, int(info["size"] or 0), _stamp(info))


def _stamp(info: Info) -> str:
    for key in ("ETag", "etag", "mtime", "LastModified", "created"):
        if info.get(key):
            return str(info[key]).strip('"')
    return ""
