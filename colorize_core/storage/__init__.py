"""The one room that knows fsspec: every path is a local path or any fsspec URL (``s3://``, ``gs://``, ``memory://``).

A store that is busy or out of reach for a moment is asked again. Where it fails for good, every function here raises
OSError, one line that begins with the path; on no account does a failure look like a file that is not there.
"""

from __future__ import annotations

import io
import os
import posixpath
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any

from fsspec.implementations.local import LocalFileSystem

from colorize_core.errors import OutputError, one_line
from colorize_core.storage import patience, remote, stores
from colorize_core.storage.remote import Entry
from colorize_core.storage.stores import absolute, is_local

__all__ = [
    "Entry",
    "absolute",
    "check_writable",
    "children",
    "exists",
    "find",
    "folders",
    "is_empty",
    "is_folder",
    "is_inside",
    "is_local",
    "join",
    "match",
    "open_file",
    "read",
    "read_range",
    "remove",
    "replacing",
    "write",
]

_BLOCK = 4 << 20  # bytes that an open file reads ahead
_BEYOND_THE_END = 416  # HTTP status


def join(path: str, *parts: str) -> str:
    """``path`` and the parts below it."""
    return posixpath.join(path, *parts)


def exists(path: str) -> bool:
    """Whether a file or folder is there. Raises OSError where that cannot be known."""
    filesystem, inner = stores.locate(path)
    return (
        bool(filesystem.exists(inner)) if isinstance(filesystem, LocalFileSystem) else remote.info_of(path) is not None
    )


def is_folder(path: str) -> bool:
    """Whether the path is a folder (in an object store: a prefix of some key). Raises OSError where nobody knows."""
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        return bool(filesystem.isdir(inner))
    info = remote.info_of(path)
    if info is None or info["type"] == "directory":
        return info is not None
    return patience.patiently(path, lambda: bool(filesystem.isdir(inner)))  # by HTTP each folder is a file, too


def read(path: str) -> bytes:
    """The whole content. Raises OSError."""
    return remote.ask(path, lambda filesystem, inner: bytes(filesystem.cat_file(inner)))


def read_range(path: str, offset: int, size: int) -> bytes:
    """``size`` bytes from ``offset`` on; fewer where the file ends before. Raises OSError."""

    def fetch(filesystem: Any, inner: str) -> bytes:
        try:
            content = bytes(filesystem.cat_file(inner, start=offset, end=offset + size))
        except Exception as error:
            if patience.status(error) == _BEYOND_THE_END:
                return b""
            raise
        return content if len(content) <= size else content[offset : offset + size]  # some HTTP servers send all

    return remote.ask(path, fetch) if size else b""


def open_file(path: str) -> IO[bytes]:
    """The file for reading and seeking; what is not read is not fetched. Raises OSError, later reads too."""
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        file: IO[bytes] = filesystem.open(inner, "rb")
        return file
    return io.BufferedReader(
        remote.RemoteFile(path, patience.patiently(path, partial(filesystem.open, inner, block_size=_BLOCK)))
    )


def write(path: str, content: bytes | memoryview) -> None:
    """Writes so that a reader sees the old file or the new one, never half of it. Raises OSError."""
    filesystem, inner = stores.locate(path)
    if not isinstance(filesystem, LocalFileSystem):
        # An object appears only when it is complete.
        patience.patiently(path, partial(filesystem.pipe_file, inner, bytes(content)))
        return
    with replacing(inner) as file:
        file.write(content)


@contextmanager
def replacing(path: str) -> Iterator[IO[bytes]]:
    """A local file to write, which takes the place of ``path`` when the block ends well, and is gone otherwise."""
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    # Not named after the target: a name of 255 bytes leaves no room for a suffix.
    temporary = os.path.join(folder, f".{uuid.uuid4().hex}.partial")
    try:
        with open(temporary, "xb") as file:
            yield file
        os.replace(temporary, os.path.join(folder, name))
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def check_writable(folder: str) -> None:
    """Proves that files can be written into a folder, there already or not; leaves nothing behind.

    Raises:
        OutputError: it cannot.
    """
    probe = join(folder, f".{uuid.uuid4().hex}.probe")
    missing = _missing_folders(folder)
    try:
        write(probe, b"")
        remove(probe)
        for path in missing:
            os.rmdir(path)
    except Exception as error:  # every store has its own exceptions for "no"
        raise OutputError(f"OUTPUT {folder} cannot be written ({one_line(error)}): choose another place") from error


def _missing_folders(folder: str) -> list[str]:
    """The folders that a file in ``folder`` would bring about, innermost first; none in an object store."""
    filesystem, inner = stores.locate(folder)
    missing: list[str] = []
    while isinstance(filesystem, LocalFileSystem) and inner and not os.path.lexists(inner):
        missing.append(inner)
        inner = os.path.dirname(inner)
    return missing


def is_inside(path: str, folder: str) -> bool:
    """Whether a path is a folder itself or lies somewhere below it, links resolved."""
    inner, outer = (os.path.realpath(p) if is_local(p) else p for p in (absolute(path), absolute(folder)))
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def remove(path: str) -> None:
    """Removes a file, or a folder with all in it. Raises OSError."""
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        filesystem.rm(inner, recursive=True)
        return
    info = remote.info_of(path)
    if info is None:
        raise FileNotFoundError(f"{path}: not found")
    patience.patiently(path, partial(remote.drop, filesystem, inner, info["type"] == "directory"))


def remove_if_there(path: str) -> None:
    """As ``remove``, but says nothing where nothing is. Raises OSError."""
    if exists(path):
        remove(path)


def find(folder: str, on_error: Callable[[OSError], None] | None = None) -> Iterator[Entry]:
    """Every file below a folder, sorted by name; links to files are followed, links to folders are not.

    Args:
        folder: where to look.
        on_error: called for each folder that cannot be listed, named in ``filename``; raised, where this is not given.
    """

    def stop(error: OSError) -> None:
        raise error

    filesystem, root = stores.locate(folder)
    root = root.rstrip("/")
    if not isinstance(filesystem, LocalFileSystem):
        yield from remote.entries(filesystem, remote.tree(folder, filesystem, root), root)
        return
    walked = os.walk(root or "/", onerror=on_error or stop)  # fsspec's own leaves out, in silence, what it cannot list
    paths = [os.path.join(place, name) for place, _, names in walked for name in names]
    yield from _local_entries(paths, root)


def children(folder: str) -> Iterator[Entry]:
    """Every file directly in a folder, sorted by name; none where the folder does not exist. Raises OSError."""
    if not is_folder(folder):  # an object store has no empty folders
        return
    filesystem, root = stores.locate(folder)
    root = root.rstrip("/")
    if isinstance(filesystem, LocalFileSystem):
        yield from _local_entries((info["name"] for info in filesystem.ls(root, detail=True)), root)
    else:
        yield from remote.entries(filesystem, remote.list_folder(folder, filesystem, root), root)


def folders(folder: str) -> list[str]:
    """Names of the folders directly in a folder, sorted. Raises OSError."""
    filesystem, root = stores.locate(folder)
    root = root.rstrip("/")
    infos = filesystem.ls(root, detail=True) if is_local(folder) else remote.list_folder(folder, filesystem, root)
    return sorted(posixpath.basename(info["name"].rstrip("/")) for info in infos if info["type"] == "directory")


def is_empty(folder: str) -> bool:
    """Whether nothing is in a folder, or there is no such folder. Raises OSError."""
    if not is_folder(folder):
        return True
    filesystem, root = stores.locate(folder)
    return not (filesystem.ls(root, detail=False) if is_local(folder) else remote.list_folder(folder, filesystem, root))


def match(pattern: str) -> Iterator[Entry]:
    """Every file that a glob pattern matches, sorted; names start below the last folder without a wildcard.

    A file of that very name, as in ``scan[1].jpg``, is the only match.
    """
    filesystem, inner = stores.locate(pattern)
    plain = posixpath.dirname(inner[: min((inner.find(c) for c in "*?[" if c in inner), default=len(inner))])
    if isinstance(filesystem, LocalFileSystem):
        if filesystem.isfile(inner):
            yield from _local_entries([inner], posixpath.dirname(inner))
        else:
            yield from _local_entries(filesystem.glob(inner), plain)
        return
    info = remote.info_of(pattern)
    if info and info["type"] == "file":
        yield from remote.entries(filesystem, [info], posixpath.dirname(inner))
    else:
        yield from remote.entries(filesystem, remote.glob(pattern, filesystem, inner, plain), plain)


def _local_entries(paths: Iterable[str], root: str) -> Iterator[Entry]:
    for path in sorted(paths):
        name = posixpath.relpath(path, root or "/")
        try:
            status = os.stat(path)
        except OSError:  # a link that leads nowhere, a file that is just gone: whoever reads it is told
            yield Entry(path, name, 0, "")
            continue
        if stat.S_ISREG(status.st_mode):  # a pipe or device could keep its reader waiting forever
            yield Entry(path, name, status.st_size, str(status.st_mtime_ns))
