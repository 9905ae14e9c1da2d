"""Lists of paths: each line names a photograph, or a file with some in it."""

from __future__ import annotations

import codecs
import os
import posixpath
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice

from colorize_core import storage
from colorize_core.archiving.faults import Outage
from colorize_core.archiving.inputs import photographs
from colorize_core.errors import InputError, printable
from colorize_core.images.decode import is_image_name
from colorize_core.storage import Entry

SUFFIX = ".txt"
_LINES_AT_ONCE = 1 << 15
_LOOKERS = 16  # paths that are looked up at once: a store takes its time for each


def entries(where: str, on_folder: Callable[[str], None]) -> Iterator[Entry]:
    """The files that a list names, a path or URL per line; relative ones start where the list is.

    One that is not there, or of which nobody knows, has neither size nor stamp: whoever reads it is told why.

    Args:
        where: the list.
        on_folder: called with a line of words for each folder that is named.

    Raises:
        InputError: a URL has a secret in it.
        OSError: the list cannot be read.
    """
    folder, outage = posixpath.dirname(where), Outage()

    def look(number: int, line: str, path: str) -> Entry | None:
        try:
            return _look(path, photographs.plain_name(line), outage)
        except storage.SecretError as error:
            raise InputError(f"line {number} of {printable(where)}: {error}") from error

    with storage.open_file(where) as file, ThreadPoolExecutor(_LOOKERS) as pool:
        first = file.readline().removeprefix(codecs.BOM_UTF8)
        lines = (os.fsdecode(line.rstrip(b"\r\n")) for line in chain([first], file))
        places = ((number, line, _place(line, folder)) for number, line in enumerate(lines, 1) if line)
        while some := list(islice(places, _LINES_AT_ONCE)):
            for (*_, path), entry in zip(some, pool.map(look, *zip(*some, strict=True)), strict=True):
                if entry:
                    yield entry
                else:
                    on_folder(f"{printable(path)} is a folder, no file: list what is in it, or give it as INPUT")


def _place(line: str, folder: str) -> str:
    """However a local file is spelled, it is one and the same source."""
    path = line if "://" in line else storage.join(folder, line)
    return storage.absolute(path) if "://" not in path or path.startswith("file://") else path


def _look(path: str, name: str, outage: Outage) -> Entry | None:
    """What is known of a file; None of a folder. Raises SecretError."""
    try:
        with outage.watched(path):
            entry = storage.stat(path)
            if entry is None and not is_image_name(path) and storage.is_folder(path):
                return None
    except storage.SecretError:
        raise
    except Exception:  # every store has its own; the photograph fails when it is read, and only it
        entry = None
    return Entry(path, name, *((entry.size, entry.stamp) if entry else (0, "")))
