"""The one room that knows fsspec: every path is a local path or any fsspec URL (``s3://``, ``gs://``, ``memory://``).

A store that is busy or out of reach for a moment is asked again. Where it fails for good, every function here raises
OSError, one line that begins with the path; on no account does a failure look like a file that is not there.
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
    "look",
    "match",
    "open_file",
    "read",
    "read_range",
    "refuse_secrets",
    "remove",
    "remove_if_there",
    "replacing",
    "walk",
    "write",
]

_PROBE = ".probe"
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
    return retry.patiently(path, lambda: bool(filesystem.isdir(inner)))  # by HTTP each folder is a file, too


def look(path: str) -> Entry | None:
    """What is known of one file; None where there is none. Raises OSError where nobody knows."""
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        return next(local.entries([inner], os.path.dirname(inner)), None) if os.path.exists(inner) else None
    info = remote.info_of(path)
    return next(remote.entries(filesystem, [info], posixpath.dirname(inner)), None) if info else None


def read(path: str) -> bytes:
    """The whole content. Raises OSError."""
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        return local.read(inner)
    return remote.ask(path, lambda filesystem, inner: bytes(filesystem.cat_file(inner)))


def read_range(path: str, offset: int, size: int) -> bytes:
    """``size`` bytes from ``offset`` on; fewer where the file ends before. Raises OSError."""
    if is_local(path):
        with open_file(path) as file:
            file.seek(offset)
            return file.read(size)

    def fetch(filesystem: Any, inner: str) -> bytes:
        try:
            content = bytes(filesystem.cat_file(inner, start=offset, end=offset + size))
        except Exception as error:
            if retry.status(error) == _BEYOND_THE_END:
                return b""
            raise
        return content if len(content) <= size else content[offset : offset + size]  # some HTTP servers send all

    return remote.ask(path, fetch) if size else b""


def open_file(path: str) -> IO[bytes]:
    """The file for reading and seeking; what is not read is not fetched. Raises OSError, later reads too."""
    filesystem, inner = stores.locate(path)
    if isinstance(filesystem, LocalFileSystem):
        local.check_regular(inner)
        file: IO[bytes] = filesystem.open(inner, "rb")
        return file
    return io.BufferedReader(
        remote.RemoteFile(path, retry.patiently(path, partial(filesystem.open, inner, block_size=_BLOCK)))
    )


def write(path: str, content: bytes | memoryview | SpilledFile, temp_dir: str = "") -> None:
    """Writes so that a reader sees the old file or the new one, never half of it. Raises OSError.

    Args:
        path: of the file.
        content: all of it.
        workshop: where a local file lies until it is whole, if that is on the same disk; beside ``path`` otherwise.
    """
    filesystem, inner = stores.locate(path)
    if not isinstance(filesystem, LocalFileSystem):
        # An object appears only when it is complete.
        if isinstance(content, SpilledFile):
            put = partial(filesystem.put_file, f"/dev/fd/{content.open()}", inner)  # it has no other name
        else:
            put = partial(filesystem.pipe_file, inner, bytes(content))
        retry.patiently(path, put)
        return
    with replacing(inner, temp_dir) as file:
        file.writelines(content if isinstance(content, SpilledFile) else [content])


def create(path: str, content: bytes) -> bool:
    """Makes a small file that must not be there yet; gives whether it did. Of several who try at once, one does.

    Some stores do not know how to refuse: there all do. Raises OSError.
    """
    filesystem, inner = stores.locate(path)
    try:
        if not isinstance(filesystem, LocalFileSystem):
            retry.patiently(path, partial(filesystem.pipe_file, inner, content, mode="create"), FileExistsError)
            return True
        local.create(inner, content)
    except FileExistsError:
        # Perhaps an answer was lost, and the second attempt met the file of the first.
        return not isinstance(filesystem, LocalFileSystem) and read(path) == content
    return True


def check_writable(folder: str) -> None:
    """Proves that files can be written into a folder, there already or not; leaves nothing behind.

    Raises:
        OutputError: it cannot.
    """
    probe = join(folder, f".{uuid.uuid4().hex}{_PROBE}")
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
    retry.patiently(path, partial(remote.drop, filesystem, inner, info["type"] == "directory"))


def remove_if_there(path: str) -> None:
    """As ``remove``, but says nothing where nothing is. Raises OSError."""
    if exists(path):
        remove(path)


def walk(folder: str, on_error: Callable[[OSError], None]) -> Iterator[Entry]:
    """Every file below a folder, as it comes; links to files are followed, links to folders are not.

    Args:
        folder: where to look.
        on_error: called for each local folder that cannot be listed, named in ``filename``. Stores raise their errors.
    """
    filesystem, root = stores.locate(folder)
    root = root.rstrip("/")
    if isinstance(filesystem, LocalFileSystem):  # fsspec's own leaves out, in silence, what it cannot list
        return local.walk(root, on_error)
    return remote.entries(filesystem, remote.tree(folder, filesystem, root), root)


def find(folder: str) -> list[Entry]:
    """Every file below a folder, sorted by path. Raises OSError."""
    return sorted(walk(folder, _stop), key=lambda entry: entry.path)


def _stop(error: OSError) -> None:
    raise error


def children(folder: str) -> Iterator[Entry]:
    """Every file directly in a folder, sorted by name; none where the folder does not exist. Raises OSError."""
    if not is_folder(folder):  # an object store has no empty folders
        return
    filesystem, root = stores.locate(folder)
    root = root.rstrip("/")
    if isinstance(filesystem, LocalFileSystem):
        yield from local.entries((info["name"] for info in filesystem.ls(root, detail=True)), root)
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
    infos = filesystem.ls(root, detail=True) if is_local(folder) else remote.list_folder(folder, filesystem, root)
    return all(info["name"].endswith(_PROBE) for info in infos)  # one is left where a process was killed over it


def match(pattern: str, on_error: Callable[[OSError], None] = _stop) -> Iterator[Entry]:
    """Every file that a glob pattern matches, sorted; names start below the last folder without a wildcard.

    A file of that very name, as in ``scan[1].jpg``, is the only match. Raises OSError.

    Args:
        pattern: what to look for.
        on_error: called for each local folder that cannot be listed, named in ``filename``. Stores raise their errors.
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
