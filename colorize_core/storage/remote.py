"""What lies in a store and how it is read: listings that leave nothing out in silence, and files read patiently."""

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
Info = dict[str, Any]  # fsspec's, of a file or folder


@dataclass(frozen=True)
class Entry:
    """One stored file.

    ``path`` can be opened by ``read``; ``name`` is the part below the listed folder, with ``/`` between its parts;
    ``stamp`` changes when the content does (mtime in nanoseconds, or the store's ETag).
    """

    path: str
    name: str
    size: int
    stamp: str


def ask(path: str, question: Callable[[Any, str], _T]) -> _T:
    """What the file system of a path answers. Raises OSError."""
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        return question(filesystem, inner)
    return retry.patiently(path, lambda: question(filesystem, inner))


def info_of(path: str) -> Info | None:
    """What a store knows of a file or folder; None where there is none. Raises OSError."""

    def look(filesystem: Any, inner: str) -> Info | None:
        try:
            info: Info = filesystem.info(inner)
        except FileNotFoundError as error:
            if retry.is_absent(error):
                return None
            raise
        return info

    return ask(path, look)


def list_folder(path: str, filesystem: Any, inner: str) -> list[Info]:
    """What lies directly in a folder of a store, named by ``inner``; nothing where it is gone. Raises OSError."""
    try:
        infos: list[Info] = retry.patiently(path, partial(filesystem.ls, inner, detail=True))
    except FileNotFoundError:
        return []
    return [info for info in infos if info["name"].rstrip("/") != inner.rstrip("/")]


def tree(path: str, filesystem: Any, inner: str) -> list[Info]:
    """All that lies below a folder of a store. Raises OSError."""
    if isinstance(filesystem, AsyncFileSystem) and type(filesystem)._find is not AsyncFileSystem._find:
        # A store's own: few and long listings, whatever the folders.
        found: Mapping[str, Info] = retry.patiently(path, partial(filesystem.find, inner, detail=True))
        return list(found.values())
    infos = list_folder(path, filesystem, inner)  # fsspec's own walk leaves out, in silence, what it cannot list
    below = (tree(path, filesystem, info["name"]) for info in infos if info["type"] == "directory")
    return infos + [info for infos in below for info in infos]


class RemoteFile(io.RawIOBase):
    """A file in a store, read with as much patience as whole files are."""

    def __init__(self, path: str, file: Any) -> None:
        self._path, self._file = path, file
        self._is_stream = getattr(file, "size", None) is None  # cannot be read again

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read in any order."""
        return bool(self._file.seekable())

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Where to read next."""
        self._file.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        """Where it is read next."""
        return int(self._file.tell())

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Reads into a buffer; gives the bytes. Raises OSError."""
        view = memoryview(buffer).cast("B")
        try:
            content = self._file.read(len(view))
        except Exception as error:
            if self._is_stream:
                raise retry.failure(self._path, error) from error
            content = retry.patiently(self._path, partial(self._file.read, len(view)))
        view[: len(content)] = content
        return len(content)

    def close(self) -> None:
        """Lets go of the connection."""
        if not self.closed:
            self._file.close()
        super().close()


def drop(filesystem: Any, inner: str, is_folder: bool) -> None:
    """Removes a file, or a folder with all in it, and makes sure. Raises what the store does."""
    with suppress(FileNotFoundError):  # it was removed just now, and the answer was lost
        filesystem.rm(inner, recursive=True) if is_folder else filesystem.rm_file(inner)
    left = filesystem.find(inner) if is_folder else []  # of a folder, s3fs does not say what it could not remove
    if left:
        raise BlockingIOError(errno.EAGAIN, f"{len(left)} files in it could not be removed")


def glob(path: str, filesystem: Any, inner: str, plain: str) -> list[Info]:
    """What matches in a store; fsspec's own takes a folder that it cannot list for an empty one. Raises OSError."""
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
    """The files among ``infos``, sorted, named by their place below ``root``."""
    for info in sorted(infos, key=lambda info: str(info["name"])):
        inner = info["name"]
        if info["type"] == "file" and not inner.endswith("/"):  # such an object stands for a folder
            name = posixpath.relpath(inner, root or "/")
            yield Entry(filesystem.unstrip_protocol(inner), name, int(info["size"] or 0), _stamp(info))


def _stamp(info: Info) -> str:
    for key in ("ETag", "etag", "mtime", "LastModified", "created"):
        if info.get(key):
            return str(info[key]).strip('"')
    return ""
