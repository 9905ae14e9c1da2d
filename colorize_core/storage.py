"""The one place that knows fsspec: every path is a local path or any fsspec URL (``s3://``, ``gs://``, ``memory://``)."""

from __future__ import annotations

import os
import posixpath
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from colorize_core.errors import InputError, OutputError, one_line


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


_LOCAL = LocalFileSystem()


def _locate(path: str) -> tuple[Any, str]:
    """File system and the path in it. Without ``://`` it is local, also where fsspec would see a chain (``a::b``)."""
    if not path:
        raise InputError("an empty path names nothing: give a folder or a file")
    if "://" not in path:
        return _LOCAL, path
    try:
        filesystem, inner = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:  # an unknown protocol, or one whose library is not installed
        raise InputError(f"{path} cannot be used: {one_line(error)}") from error
    return filesystem, inner


def absolute(path: str) -> str:
    """The path as any process on this machine would have to spell it; URLs stay as they are."""
    filesystem, inner = _locate(path)
    return os.path.abspath(os.path.expanduser(inner)) if isinstance(filesystem, LocalFileSystem) else path


def is_local(path: str) -> bool:
    """Whether only this machine can see the path."""
    return isinstance(_locate(path)[0], LocalFileSystem)


def join(path: str, *parts: str) -> str:
    """``path`` and the parts below it."""
    return posixpath.join(path, *parts)


def exists(path: str) -> bool:
    """Whether a file or folder is there."""
    filesystem, inner = _locate(path)
    return bool(filesystem.exists(inner))


def is_folder(path: str) -> bool:
    """Whether the path is a folder (in an object store: a prefix of some key)."""
    filesystem, inner = _locate(path)
    return bool(filesystem.isdir(inner))


def read(path: str) -> bytes:
    """The whole content. Raises OSError."""
    filesystem, inner = _locate(path)
    return bytes(filesystem.cat_file(inner))


def read_range(path: str, offset: int, size: int) -> bytes:
    """``size`` bytes from ``offset`` on; fewer where the file ends before. Raises OSError."""
    filesystem, inner = _locate(path)
    return bytes(filesystem.cat_file(inner, start=offset, end=offset + size)) if size else b""


def open_file(path: str) -> IO[bytes]:
    """The file for reading and seeking; what is not read is not fetched. Raises OSError."""
    filesystem, inner = _locate(path)
    file: IO[bytes] = filesystem.open(inner, "rb")
    return file


def write(path: str, content: bytes | memoryview) -> None:
    """Writes so that a reader sees the old file or the new one, never half of it. Raises OSError."""
    filesystem, inner = _locate(path)
    if not isinstance(filesystem, LocalFileSystem):
        filesystem.pipe_file(inner, bytes(content))  # an object appears only when it is complete
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
    filesystem, inner = _locate(folder)
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
    """Removes a file, or a folder with all in it."""
    filesystem, inner = _locate(path)
    filesystem.rm(inner, recursive=True)


def find(folder: str, on_error: Callable[[OSError], None] | None = None) -> Iterator[Entry]:
    """Every file below a folder, sorted by name; links to files are followed, links to folders are not.

    Args:
        folder: where to look.
        on_error: called for each folder that cannot be listed, named in ``filename``; raised, where this is not given.
    """

    def stop(error: OSError) -> None:
        raise error

    filesystem, root = _locate(folder)
    root = root.rstrip("/")
    if not isinstance(filesystem, LocalFileSystem):
        yield from _entries(filesystem, filesystem.find(root, detail=True), root)
        return
    walked = os.walk(root or "/", onerror=on_error or stop)  # fsspec's own leaves out, in silence, what it cannot list
    paths = [os.path.join(place, name) for place, _, names in walked for name in names]
    yield from _local_entries(paths, root)


def children(folder: str) -> Iterator[Entry]:
    """Every file directly in a folder, sorted by name; none where the folder does not exist."""
    filesystem, root = _locate(folder)
    root = root.rstrip("/")
    if not filesystem.isdir(root):  # an object store has no empty folders
        return
    infos = {info["name"]: info for info in filesystem.ls(root, detail=True)}
    local = isinstance(filesystem, LocalFileSystem)
    yield from _local_entries(infos, root) if local else _entries(filesystem, infos, root)


def folders(folder: str) -> list[str]:
    """Names of the folders directly in a folder, sorted."""
    filesystem, root = _locate(folder)
    infos = filesystem.ls(root.rstrip("/"), detail=True)
    return sorted(posixpath.basename(info["name"].rstrip("/")) for info in infos if info["type"] == "directory")


def is_empty(folder: str) -> bool:
    """Whether nothing is in a folder, or there is no such folder."""
    filesystem, root = _locate(folder)
    return not filesystem.isdir(root) or not filesystem.ls(root, detail=False)


def match(pattern: str) -> Iterator[Entry]:
    """Every file that a glob pattern matches, sorted; names start below the last folder without a wildcard.

    A file of that very name, as in ``scan[1].jpg``, is the only match.
    """
    filesystem, inner = _locate(pattern)
    local = isinstance(filesystem, LocalFileSystem)
    if filesystem.isfile(inner):
        infos, root = {inner: filesystem.info(inner)}, posixpath.dirname(inner)
    else:
        plain = inner[: min((inner.find(c) for c in "*?[" if c in inner), default=len(inner))]
        infos, root = filesystem.glob(inner, detail=True), posixpath.dirname(plain)
    yield from _local_entries(infos, root) if local else _entries(filesystem, infos, root)


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


def _entries(filesystem: Any, found: Mapping[str, dict[str, Any]], root: str) -> Iterator[Entry]:
    for inner, info in sorted(found.items()):
        if info["type"] == "file":
            name = posixpath.relpath(inner, root or "/")
            yield Entry(filesystem.unstrip_protocol(inner), name, int(info["size"] or 0), _stamp(info))


def _stamp(info: dict[str, Any]) -> str:
    for key in ("ETag", "etag", "mtime", "LastModified", "created"):
        if info.get(key):
            return str(info[key]).strip('"')
    return ""
