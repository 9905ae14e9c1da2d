"""What is there: the photographs that INPUT names."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass

from colorize_core import storage
from colorize_core.errors import InputError, OutputError, UserError, one_line, printable
from colorize_core.images.decode import SUFFIX_LIST, is_image_name

_WILDCARDS = "*?["


@dataclass(frozen=True)
class Source:
    """One photograph to colorize.

    Attributes:
        path: where it can be read.
        uri: the same as text that any file can hold; bytes that are no UTF-8 are escaped.
        name: its place below INPUT, parts joined by ``/``, escaped likewise.
        size: in bytes.
        fingerprint: changes when the file does.
    """

    path: str
    uri: str
    name: str
    size: int
    fingerprint: str


@dataclass(frozen=True)
class Listing:
    """Every photograph of INPUT, sorted by name.

    Attributes:
        sources: the photographs.
        others: how many other files lie among them.
        unlisted: folders that could not be looked into, each with the reason.
    """

    sources: list[Source]
    others: int
    unlisted: list[str]


def list_sources(location: str) -> Listing:
    """Lists a folder (recursively), a glob pattern or a single image file.

    A file counts as a photograph by its suffix, whatever is in it, unless it is hidden.

    Raises:
        InputError: nothing is there, or no photograph is.
    """
    unlisted: list[str] = []
    try:
        entries = _entries(location, lambda error: unlisted.append(printable(one_line(error))))
    except UserError:
        raise
    except Exception as error:  # every store has its own exceptions: for no credentials, no network, no such bucket
        raise InputError(f"INPUT {location} cannot be listed: {one_line(error)}") from error
    sources = [
        Source(entry.path, printable(entry.path), printable(entry.name), entry.size, f"{entry.size}-{entry.stamp}")
        for entry in entries
        if is_image_name(entry.name)
    ]
    if not sources:
        hidden = f"; {len(unlisted)} folders cannot be listed: {unlisted[0]}" if unlisted else ""
        raise InputError(
            f"INPUT {location} holds no photograph: {len(entries)} files, none of them {SUFFIX_LIST}{hidden}"
        )
    return Listing(sources, len(entries) - len(sources), unlisted)


def _entries(location: str, on_error: Callable[[OSError], None]) -> list[storage.Entry]:
    where = storage.absolute(location)
    if storage.is_folder(where):
        return list(storage.find(where, on_error))
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
    folder = _folder_of(where)
    holds_input = storage.is_inside(folder, output)
    if storage.is_inside(output, folder) and (holds_input or _looks_below(where)):
        raise OutputError(
            f"OUTPUT {output} lies inside INPUT {location}: the next run would take results for photographs; "
            "choose a place beside it"
        )
    if holds_input:
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
