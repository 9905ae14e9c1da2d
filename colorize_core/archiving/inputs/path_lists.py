"""Text files that list paths: each line names a photograph, or a file that holds some."""

from __future__ import annotations

import codecs
import os
import posixpath
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice

from colorize_core import storage
from colorize_core.archiving.faults import CircuitBreaker
from colorize_core.archiving.inputs import photographs
from colorize_core.errors import InputError, printable
from colorize_core.images.decode import is_image_name
from colorize_core.storage import Entry

SUFFIX = ".txt"
_LINES_AT_ONCE = 1 << 15
_THREADS = 16  # paths that are looked up at the same time, since a store takes a while for each


def entries(where: str, on_folder: Callable[[str], None]) -> Iterator[Entry]:
    """Yields the files that a list names, one path or URL per line; relative paths start at the list's folder.

    A file that does not exist or cannot be looked up has neither size nor stamp: reading it raises the reason.

    Args:
        where: the list.
        on_folder: called with a message for each line that names a folder.

    Raises:
        InputError: a URL has a secret in it.
        OSError: the list cannot be read.
    """
    folder, breaker = posixpath.dirname(where), CircuitBreaker()

    def stat(number: int, line: str, path: str) -> Entry | None:
        try:
            return _stat(path, photographs.plain_name(line), breaker)
        except storage.SecretError as error:
            raise InputError(f"line {number} of {printable(where)}: {error}") from error

    with storage.open_file(where) as file, ThreadPoolExecutor(_THREADS) as pool:
        first = file.readline().removeprefix(codecs.BOM_UTF8)
        lines = (os.fsdecode(line.rstrip(b"\r\n")) for line in chain([first], file))
        places = ((number, line, _place(line, folder)) for number, line in enumerate(lines, 1) if line)
        while some := list(islice(places, _LINES_AT_ONCE)):
            for (*_, path), entry in zip(some, pool.map(stat, *zip(*some, strict=True)), strict=True):
                if entry:
                    yield entry
                else:
                    on_folder(f"{printable(path)} is a folder, no file: list what is in it, or give it as INPUT")


def _place(line: str, folder: str) -> str:
    """Returns the path in a line. Local paths become absolute, so that two spellings of a path are one source."""
    path = line if "://" in line else storage.join(folder, line)
    return storage.absolute(path) if "://" not in path or path.startswith("file://") else path


def _stat(path: str, name: str, breaker: CircuitBreaker) -> Entry | None:
    """Returns the entry of a file; None if the path is a folder. Raises SecretError."""
    try:
        with breaker.call(path):
            entry = storage.stat(path)
            if entry is None and not is_image_name(path) and storage.is_folder(path):
                return None
    except storage.SecretError:
        raise
    except Exception:  # each store has its own exceptions; only this photograph fails, when it is read
        entry = None
    return Entry(path, name, *((entry.size, entry.stamp) if entry else (0, "")))
