"""What is there: the photographs that INPUT names."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass

from colorize_core import storage
from colorize_core.errors import InputError, OutputError, UserError, one_line, printable
from colorize_core.images.decode import SUFFIX_LIST, is_image_name

_WILDCARDS = "*?["


@dataclass(frozen=True)
class Source:
    """One photograph to colorize.

    Attributes:
        uri: where it can be read.
        name: its place below INPUT, parts joined by ``/``.
        size: in bytes.
        fingerprint: changes when the file does.
    """

    uri: str
    name: str
    size: int
    fingerprint: str


@dataclass(frozen=True)
class Listing:
    """Every photograph of INPUT, sorted by name, and how many other files lie among them."""

    sources: list[Source]
    others: int


def list_sources(location: str) -> Listing:
    """Lists a folder (recursively), a glob pattern or a single image file.

    A file counts as a photograph by its suffix, whatever is in it, unless it is hidden.

    Raises:
        InputError: nothing is there, or no photograph is.
    """
    try:
        entries = _entries(location)
    except UserError:
        raise
    except Exception as error:  # every store has its own exceptions: for no credentials, no network, no such bucket
        raise InputError(f"INPUT {location} cannot be listed: {one_line(error)}") from error
    # A name that is no UTF-8 cannot stand in Parquet: escaped, it is reported as a file that cannot be read.
    sources = [
        Source(printable(entry.path), printable(entry.name), entry.size, f"{entry.size}-{entry.stamp}")
        for entry in entries
        if is_image_name(entry.name)
    ]
    if not sources:
        raise InputError(f"INPUT {location} holds no photograph: {len(entries)} files, none of them {SUFFIX_LIST}")
    return Listing(sources, len(entries) - len(sources))


def _entries(location: str) -> list[storage.Entry]:
    where = storage.absolute(location)
    if storage.is_folder(where):
        return list(storage.find(where))
    if storage.exists(where):
        if not is_image_name(where):
            raise InputError(f"INPUT {location} is a file but no image: give a folder, a glob or one of {SUFFIX_LIST}")
        return list(storage.match(where))
    if any(c in where for c in _WILDCARDS):
        return list(storage.match(where))
    raise InputError(f"INPUT {location} does not exist: give a folder, a glob or an image file")


def check_apart(location: str, output: str) -> None:
    """Refuses places where results and photographs would mix.

    Raises:
        OutputError: OUTPUT is INPUT, or one lies inside the other.
    """
    where = storage.absolute(location)
    inside, outside = _real(_folder_of(where)), _real(storage.absolute(output))
    below = outside.startswith(inside.rstrip("/") + "/")
    if inside == outside or (below and _looks_below(where)):
        raise OutputError(
            f"OUTPUT {output} lies inside INPUT {location}: the next run would take results for photographs; "
            "choose a place beside it"
        )
    if inside.startswith(outside.rstrip("/") + "/"):
        raise OutputError(
            f"INPUT {location} lies inside OUTPUT {output}: results could overwrite photographs; choose another place"
        )


def _folder_of(where: str) -> str:
    if storage.exists(where):
        return where if storage.is_folder(where) else posixpath.dirname(where)
    while any(c in where for c in _WILDCARDS):
        where = posixpath.dirname(where)
    return where


def _looks_below(where: str) -> bool:
    """Whether INPUT takes files from folders below its own, as ``scans/*.tif`` and a single file do not."""
    return storage.is_folder(where) or any(c in posixpath.dirname(where) for c in _WILDCARDS) or "**" in where


def _real(path: str) -> str:
    return os.path.realpath(path) if storage.is_local(path) else path
