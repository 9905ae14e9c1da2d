"""Reads, writes and lists files: a path is a local path or an fsspec URL (``s3://``, ``gs://``, ``memory://``).

Only this package uses fsspec. An operation is retried while a store is busy or unreachable. If it still fails, the
function raises OSError with a message of one line that begins with the path. A failure is never reported as a missing
file.
"""

from __future__ import annotations

import io
import os
import posixpath
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any

from fsspec.implementations.local import LocalFileSystem

from colorize_core.errors import OutputError, one_line
from colorize_core.storage import local, remote, retry, stores
from colorize_core.storage.local import replacing
from colorize_core.storage.remote import Entry
from colorize_core.storage.spilled_file import SpilledFile
from colorize_core.storage.stores import SecretError, absolute, is_local, refuse_secrets

__all__ = [
    "Entry",
    "SecretError",
    "SpilledFile",
    "absolute",
    "check_writable",
    "children",
    "create",
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
    "refuse_secrets",
    "remove",
    "remove_if_there",
    "replacing",
    "stat",
    "walk",
    "write",
]

_PROBE = ".probe"
_BLOCK = 4 << 20  # bytes that an open file reads ahead
_RANGE_NOT_SATISFIABLE = 416  # HTTP status of a read that starts at or after the end of the file


def join(path: str, *parts: str) -> str:
    """Joins a path and the parts below it with ``/``."""
    return posixpath.join(path, *parts)


def exists(path: str) -> bool:
    """Returns True if a file or folder exists. Raises OSError if the store does not answer."""
    filesystem, inner = stores.locate(path)
    return (
        bool(filesystem.exists(inner)) if isinstance(filesystem, LocalFileSystem) else remote.info_of(path) is not None
    )


def is_folder(path: str) -> bool:
    """Returns True if the path is a folder; in an object store, if it is a prefix of some key. Raises OSError."""
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        return bool(filesystem.isdir(inner))
    info = remote.info_of(path)
    if info is None or info["type"] == "directory":
        return info is not None
    return retry.call(path, lambda: bool(filesystem.isdir(inner)))  # over HTTP, info() calls a folder a file


def stat(path: str) -> Entry | None:
    """Returns size and stamp of one file; None if it does not exist. Raises OSError if the store does not answer."""
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        return next(local.entries([inner], os.path.dirname(inner)), None) if os.path.exists(inner) else None
    info = remote.info_of(path)
    return next(remote.entries(filesystem, [info], posixpath.dirname(inner)), None) if info else None


def read(path: str) -> bytes:
    """Returns the content of a file. Raises OSError."""
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        return local.read(inner)
    return remote.ask(path, lambda filesystem, inner: bytes(filesystem.cat_file(inner)))


def read_range(path: str, offset: int, size: int) -> bytes:
    """Returns ``size`` bytes from ``offset`` on; fewer if the file ends earlier. Raises OSError."""
    if is_local(path):
        with open_file(path) as file:
            file.seek(offset)
            return file.read(size)

    def fetch(filesystem: Any, inner: str) -> bytes:
        try:
            content = bytes(filesystem.cat_file(inner, start=offset, end=offset + size))
        except Exception as error:
            if retry.status(error) == _RANGE_NOT_SATISFIABLE:
                return b""
            raise
        # Some HTTP servers ignore the range and send the whole file.
        return content if len(content) <= size else content[offset : offset + size]

    return remote.ask(path, fetch) if size else b""


def open_file(path: str) -> IO[bytes]:
    """Opens a file for reading and seeking; only the parts that are read are fetched.

    Raises:
        OSError: the file cannot be opened. Reading from it raises OSError, too.
    """
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        local.check_regular(inner)
        file: IO[bytes] = filesystem.open(inner, "rb")
        return file
    return io.BufferedReader(
        remote.RemoteFile(path, retry.call(path, partial(filesystem.open, inner, block_size=_BLOCK)))
    )


def write(path: str, content: bytes | memoryview | SpilledFile, temp_dir: str = "") -> None:
    """Writes a file atomically: a reader sees the old content or the new one, never a part.

    Args:
        path: where to write.
        content: the whole content.
        temp_dir: folder for the temporary file of a local write, used if it is on the same disk as ``path``. Otherwise
            the temporary file lies beside ``path``.

    Raises:
        OSError: the file cannot be written.
    """
    filesystem, inner = stores.locate(path)
    if not isinstance(filesystem, LocalFileSystem):
        # Object stores are atomic: an object appears only when it is complete.
        if isinstance(content, SpilledFile):
            put = partial(filesystem.put_file, f"/dev/fd/{content.open()}", inner)  # the file has no name on disk
        else:
            put = partial(filesystem.pipe_file, inner, bytes(content))
        retry.call(path, put)
        return
    with replacing(inner, temp_dir) as file:
        file.writelines(content if isinstance(content, SpilledFile) else [content])


def create(path: str, content: bytes) -> bool:
    """Creates a small file. Returns False if the file exists already. Of several processes at once, one succeeds.

    Some stores cannot refuse to overwrite a file: there, every process succeeds. A file in a store that has the same
    content already counts as created by this call. Raises OSError.
    """
    filesystem, inner = stores.locate(path)
    try:
        if not isinstance(filesystem, LocalFileSystem):
            retry.call(path, partial(filesystem.pipe_file, inner, content, mode="create"), FileExistsError)
            return True
        local.create(inner, content)
    except FileExistsError:
        # The answer to the first attempt may be lost: then the second one finds the file of the first.
        return not isinstance(filesystem, LocalFileSystem) and read(path) == content
    return True


def check_writable(folder: str, shown: str = "") -> None:
    """Checks that files can be written into a folder, by writing and removing one. The folder need not exist.

    Messages call it ``shown``, by default OUTPUT and its path.

    Raises:
        OutputError: no file can be written there.
    """
    shown = shown or f"OUTPUT {folder}"
    probe = join(folder, f".{uuid.uuid4().hex}{_PROBE}")
    missing = local.missing_folders(stores.locate(folder)[1]) if is_local(folder) else []
    try:
        write(probe, b"")
        remove(probe)
        for path in missing:
            os.rmdir(path)
    except Exception as error:  # each store has its own exceptions
        raise OutputError(f"{shown} cannot be written ({one_line(error)}): choose another place") from error


def is_inside(path: str, folder: str) -> bool:
    """Returns True if a path is ``folder`` itself or lies below it, after links are resolved."""
    inner, outer = (os.path.realpath(p) if is_local(p) else p for p in (absolute(path), absolute(folder)))
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def remove(path: str) -> None:
    """Removes a file, or a folder with all its content. Raises OSError, also if the path does not exist."""
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        filesystem.rm(inner, recursive=True)
        return
    info = remote.info_of(path)
    if info is None:
        raise FileNotFoundError(f"{path}: not found")
    retry.call(path, partial(remote.drop, filesystem, inner, info["type"] == "directory"))


def remove_if_there(path: str) -> None:
    """Removes a file or folder if it exists. Raises OSError."""
    if exists(path):
        remove(path)


def walk(folder: str, on_error: Callable[[OSError], None]) -> Iterator[Entry]:
    """Yields every file below a folder. Links to files are followed, links to folders are not.

    Args:
        folder: the folder to list.
        on_error: called with an error for each local folder that cannot be listed; its ``filename`` is the folder. For
            a store, the error is raised instead.
    """
    filesystem, root = stores.locate(folder)
    root = root.rstrip("/")
    if isinstance(filesystem, LocalFileSystem):  # fsspec's own walk silently skips folders that it cannot list
        return local.walk(root, on_error)
    return remote.entries(filesystem, remote.tree(folder, filesystem, root), root)


def find(folder: str) -> list[Entry]:
    """Returns every file below a folder, sorted by path. Raises OSError."""
    return sorted(walk(folder, _stop), key=lambda entry: entry.path)


def _stop(error: OSError) -> None:
    raise error


def children(folder: str) -> Iterator[Entry]:
    """Yields every file directly in a folder, sorted by name; none if the folder does not exist. Raises OSError."""
    if not is_folder(folder):  # an object store has no empty folders
        return
    filesystem, root = stores.locate(folder)
    root = root.rstrip("/")
    if isinstance(filesystem, LocalFileSystem):
        yield from local.entries((info["name"] for info in filesystem.ls(root, detail=True)), root)
    else:
        yield from remote.entries(filesystem, remote.list_folder(folder, filesystem, root), root)


def folders(folder: str) -> list[str]:
    """Returns the names of the folders directly in a folder, sorted. Raises OSError."""
    filesystem, root = stores.locate(folder)
    root = root.rstrip("/")
    infos = filesystem.ls(root, detail=True) if is_local(folder) else remote.list_folder(folder, filesystem, root)
    return sorted(posixpath.basename(info["name"].rstrip("/")) for info in infos if info["type"] == "directory")


def is_empty(folder: str) -> bool:
    """Returns True if a folder is empty or does not exist. Raises OSError."""
    if not is_folder(folder):
        return True
    filesystem, root = stores.locate(folder)
    infos = filesystem.ls(root, detail=True) if is_local(folder) else remote.list_folder(folder, filesystem, root)
    return all(info["name"].endswith(_PROBE) for info in infos)  # a killed check_writable leaves its probe


def match(pattern: str, on_error: Callable[[OSError], None] = _stop) -> Iterator[Entry]:
    """Yields every file that a glob pattern matches, sorted. Names start below the last folder without a wildcard.

    If a file has the pattern as its name, such as ``scan[1].jpg``, it is the only match. Raises OSError.

    Args:
        pattern: a path with ``*``, ``?``, ``[`` or ``**``.
        on_error: called with errors, as for ``walk``.
    """
    filesystem, inner = stores.locate(pattern)
    inner = os.path.abspath(inner) if isinstance(filesystem, LocalFileSystem) else inner
    plain = posixpath.dirname(inner[: min((inner.find(c) for c in "*?[" if c in inner), default=len(inner))])
    if isinstance(filesystem, LocalFileSystem):
        if os.path.exists(inner) and not os.path.isdir(inner):
            yield from local.entries([inner], posixpath.dirname(inner))
        elif any(c in inner for c in "*?["):
            yield from local.entries(local.glob(inner, plain.rstrip("/"), on_error), plain)
        return
    info = remote.info_of(pattern)
    if info and info["type"] == "file":
        yield from remote.entries(filesystem, [info], posixpath.dirname(inner))
    else:
        yield from remote.entries(filesystem, remote.glob(pattern, filesystem, inner, plain), plain)
