"""What lies on this machine's disks."""

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
    """Every file below a folder, a folder at a time; links to files are followed, links to folders are not.

    Args:
        root: without a slash at its end.
        on_error: called for each folder that cannot be listed, named in ``filename``.
    """
    start = len(root) + 1
    return (_file(each.path, each.path[start:]) for each in _files(root, on_error, lambda _: True))


def glob(pattern: str, root: str, on_error: Callable[[OSError], None]) -> Iterator[str]:
    """The files that a pattern matches by fsspec's rules, a folder at a time.

    Args:
        pattern: ``*``, ``?`` and ``[`` stay within a folder, ``**`` does not.
        root: the last folder before the first wildcard, without a slash at its end.
        on_error: called for each folder that cannot be listed and could have a match in it, named in ``filename``.
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
        if not isinstance(error, FileNotFoundError | NotADirectoryError):  # then nothing matches, and that is all
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
    """The files among ``paths``, sorted, named by their place below ``root``."""
    for path in sorted(paths):
        if not os.path.isdir(path):
            yield _file(path, posixpath.relpath(path, root or "/"))


def check_regular(path: str) -> None:
    """Raises OSError for what is no file: a pipe or device could keep its reader waiting forever."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise PermissionError(f"{path}: is no regular file")


def read(path: str) -> bytes:
    """The whole content. Raises OSError, also for a pipe or device."""
    check_regular(path)
    with open(path, "rb") as file:
        return file.read()


def _settle(file: IO[bytes]) -> None:
    """Has the content on the disk before the file gets its name: a machine that goes down leaves it whole or absent."""
    file.flush()
    os.fsync(file.fileno())


def create(path: str, content: bytes) -> None:
    """Makes a file that is whole from its first moment on. Raises FileExistsError where there is one, OSError."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = os.path.join(os.path.dirname(path), f".{uuid.uuid4().hex}.partial")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            _settle(file)
        os.link(temporary, path)  # unlike a rename, it replaces nothing
    except FileExistsError:
        raise
    except OSError:  # not every disk has links
        with open(path, "xb") as file:
            file.write(content)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


@contextmanager
def replacing(path: str, temp_dir: str = "") -> Iterator[IO[bytes]]:
    """A local file to write, which takes the place of ``path`` when the block ends well, and is gone otherwise."""
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    if temp_dir:
        os.makedirs(temp_dir, exist_ok=True)
    aside = temp_dir if temp_dir and os.stat(temp_dir).st_dev == os.stat(folder).st_dev else folder
    # Not named after the target: a name of 255 bytes leaves no room for a suffix.
    temporary = os.path.join(aside, f".{uuid.uuid4().hex}.partial")
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
    except OSError:  # a link to itself, or into a folder that nobody may enter
        return False


def _file(path: str, name: str) -> Entry:
    try:
        status = os.stat(path)
    except OSError:  # a link that leads nowhere, a file that is just gone: whoever reads it is told
        return Entry(path, name, 0, "")
    return Entry(path, name, status.st_size, str(status.st_mtime_ns))
