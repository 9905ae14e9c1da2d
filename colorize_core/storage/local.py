"""Lists, reads and writes files on this machine's disks."""

from __future__ import annotations

import os
import posixpath
import re
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from fsspec.utils import glob_translate

from colorize_core.storage.remote import Entry


def walk(root: str, on_error: Callable[[OSError], None]) -> Iterator[Entry]:
    """Yields every file below a folder, one folder after the other. Follows links to files, but not links to folders.

    Args:
        root: the folder, without a slash at its end.
        on_error: called with an error for each folder that cannot be listed; its ``filename`` is the folder.
    """
    start = len(root) + 1
    return (_file(each.path, each.path[start:]) for each in _files(root, on_error, lambda _: True))


def glob(pattern: str, root: str, on_error: Callable[[OSError], None]) -> Iterator[str]:
    """Yields the files that a pattern matches by fsspec's rules, one folder after the other.

    Args:
        pattern: a path in which ``*``, ``?`` and ``[`` match within a folder, and ``**`` across folders.
        root: the last folder before the first wildcard, without a slash at its end.
        on_error: called as by ``walk``, but only for folders that could hold a match.
    """
    whole = re.compile(glob_translate(pattern))
    parts = pattern[len(root) + 1 :].split("/")
    is_deep = "**" in parts
    fitting = [re.compile(glob_translate(part)) for part in parts[: parts.index("**") if is_deep else -1]]

    def leads_on(folder: str) -> bool:
        names = folder[len(root) + 1 :].split("/")
        fits = all(each.match(name) for each, name in zip(fitting, names, strict=False))
        return fits and (is_deep or len(names) <= len(fitting))

    def tell(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):  # a missing folder holds no match
            on_error(error)

    return (each.path for each in _files(root, tell, leads_on) if whole.match(each.path))


def _files(root: str, on_error: Callable[[OSError], None], enters: Callable[[str], bool]) -> Iterator[os.DirEntry[str]]:
    waiting = [root or "/"]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                below = sorted(found, key=lambda each: each.name)
        except OSError as error:
            on_error(error)
            continue
        for each in below:
            if not _is_folder(each):
                yield each
        waiting += [each.path for each in reversed(below) if each.is_dir(follow_symlinks=False) and enters(each.path)]


def entries(paths: Iterable[str], root: str) -> Iterator[Entry]:
    """Yields the files among ``paths``, sorted, with names relative to ``root``."""
    for path in sorted(paths):
        if not os.path.isdir(path):
            yield _file(path, posixpath.relpath(path, root or "/"))


def check_regular(path: str) -> None:
    """Raises OSError for a pipe or device, since reading one could take for ever."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise PermissionError(f"{path}: is not a regular file")


def read(path: str) -> bytes:
    """Returns the content of a file. Raises OSError, also for a pipe or device."""
    check_regular(path)
    with open(path, "rb") as file:
        return file.read()


def _settle(file: IO[bytes]) -> None:
    """Writes buffered content to the disk, so that a power failure after the rename leaves no partial file."""
    file.flush()
    os.fsync(file.fileno())


def create(path: str, content: bytes) -> None:
    """Creates a file that appears with its whole content. Raises FileExistsError if it exists, OSError."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = os.path.join(os.path.dirname(path), f".{uuid.uuid4().hex}.partial")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            _settle(file)
        os.link(temporary, path)  # unlike a rename, a link never replaces a file
    except FileExistsError:
        raise
    except OSError:  # some file systems have no links
        with open(path, "xb") as file:
            file.write(content)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def missing_folders(folder: str) -> list[str]:
    """Lists the folders that writing into ``folder`` would create, innermost first."""
    missing: list[str] = []
    while folder and not os.path.lexists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    return missing


@contextmanager
def replacing(path: str, temp_dir: str = "") -> Iterator[IO[bytes]]:
    """Opens a temporary file for writing that replaces ``path`` when the block ends; an error in it removes the file.

    Args:
        path: local path of the file to write.
        temp_dir: folder of the temporary file, used if it is on the same disk; else it lies beside ``path``.
    """
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    if temp_dir:
        os.makedirs(temp_dir, exist_ok=True)
    temp_folder = temp_dir if temp_dir and os.stat(temp_dir).st_dev == os.stat(folder).st_dev else folder
    # A name of its own: the target's name may have 255 bytes, which leave no room for a suffix.
    temporary = os.path.join(temp_folder, f".{uuid.uuid4().hex}.partial")
    try:
        with open(temporary, "xb") as file:
            yield file
            _settle(file)
        os.replace(temporary, os.path.join(folder, name))
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a folder without permission
        return False


def _file(path: str, name: str) -> Entry:
    try:
        status = os.stat(path)
    except OSError:  # a broken link or a file that was just removed: reading it raises the error
        return Entry(path, name, 0, "")
    return Entry(path, name, status.st_size, str(status.st_mtime_ns))
