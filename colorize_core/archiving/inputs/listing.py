"""Lists the photographs that INPUT names."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa

from colorize_core import storage
from colorize_core.archiving.inputs import path_lists, photographs
from colorize_core.archiving.spilled_table import SpilledTable
from colorize_core.errors import InputError, OutputError, UserError, one_line, printable
from colorize_core.images.decode import SUFFIX_LIST, is_image_name
from colorize_core.storage import Entry, containers

_WILDCARDS = "*?["
_PARQUET = photographs.PARQUET.decode()
_FILES_AT_ONCE = 1 << 15
_CHOICES = f"a folder, a glob, one of {SUFFIX_LIST}, a .tar, .zip or .parquet file, or a .txt file with a path per line"


@dataclass(frozen=True)
class Listing:
    """A list of the photographs in INPUT.

    Attributes:
        sources: the photographs, rows of ``photographs.SCHEMA`` in no order.
        other_files: number of other files among them.
        unlisted: folders and containers that could not be listed, each with the reason.
    """

    sources: SpilledTable
    other_files: int
    unlisted: list[str]


def list_sources(location: str) -> Listing:
    """Lists a folder (recursively), a glob pattern, a file with photographs in it, or a list of paths.

    A file counts as a photograph by its suffix, whatever its content, unless it is hidden. Photographs in tar and zip
    files are always listed; those in Parquet files only if INPUT has no others.

    Raises:
        InputError: INPUT does not exist, cannot be listed, or holds no photograph.

    Example:
        >>> list_sources("scans").sources.num_rows
        120
    """
    found = _Found()
    where = storage.absolute(location)
    try:
        if storage.is_folder(where):
            found.add(storage.walk(where, found.add_unlisted))
        elif storage.exists(where):
            _add_file(found, where, location)
        elif any(c in where for c in _WILDCARDS):
            found.add(storage.match(where, found.add_unlisted))
        else:
            raise InputError(f"INPUT {location} does not exist: give {_CHOICES}")
    except UserError:
        raise
    except Exception as error:  # every store has its own exceptions: for no credentials, no network, no such bucket
        raise InputError(f"INPUT {location} cannot be listed: {one_line(error)}") from error
    if not found.sources.num_rows:
        hidden = f"; {len(found.unlisted)} places cannot be listed: {found.unlisted[0]}" if found.unlisted else ""
        raise InputError(
            f"INPUT {location} holds no photograph: {found.other_files} files, none of them {SUFFIX_LIST}{hidden}"
        )
    return Listing(found.sources, found.other_files, found.unlisted)


def _add_file(found: _Found, where: str, location: str) -> None:
    [entry] = storage.match(where)
    lower = where.lower()
    if is_image_name(where):
        found.add([entry])
    elif _is_container(where):
        found.add_container(entry, "")
    elif lower.endswith(_PARQUET):
        found.add_table(entry, "")
    elif lower.endswith(path_lists.SUFFIX):
        found.add(path_lists.entries(where, found.unlisted.append))
    else:
        raise InputError(f"INPUT {location} is a file, but not an image: give {_CHOICES}")


class _Found:
    """A collector of the photographs that are found in INPUT."""

    def __init__(self) -> None:
        self.sources = SpilledTable(photographs.SCHEMA)
        self.other_files = 0
        self.unlisted: list[str] = []

    def add_unlisted(self, error: OSError) -> None:
        """Notes a folder that cannot be listed."""
        self.unlisted.append(printable(one_line(error)))

    def add_photographs(self, tables: Iterable[pa.Table]) -> None:
        """Adds tables of ``photographs.SCHEMA``."""
        for table in tables:
            self.sources.append(table)

    def add(self, entries: Iterable[Entry]) -> None:
        """Adds files that are photographs, and the photographs in containers; counts the other files."""
        entries = iter(entries)
        tables: list[Entry] = []
        while part := list(islice(entries, _FILES_AT_ONCE)):
            images = [entry for entry in part if is_image_name(entry.name)]
            self.add_photographs(photographs.of_files(images))
            rest = len(part) - len(images)
            for entry in part:
                if _is_container(entry.name) and not _is_hidden(entry.name):
                    self._add_contents(entry, self.add_container)
                    rest -= 1
            tables += [entry for entry in part if _is_table(entry.name)]
            self.other_files += rest
        if not self.sources.num_rows:
            self.other_files -= len(tables)
            for entry in tables:
                self._add_contents(entry, self.add_table)

    def add_container(self, entry: Entry, prefix: str) -> None:
        """Adds the photographs in a tar or zip file. Raises InputError."""
        tables, others = photographs.of_container(entry, prefix)
        self.add_photographs(tables)
        self.other_files += others

    def add_table(self, entry: Entry, prefix: str) -> None:
        """Adds the rows of a Parquet file. Raises InputError."""
        self.add_photographs(photographs.of_parquet(entry, prefix))

    def _add_contents(self, entry: Entry, add: Callable[[Entry, str], None]) -> None:
        try:
            add(entry, printable(entry.name) + "/")
        except InputError as error:  # the other files are listed all the same, and the user is told of this one
            self.unlisted.append(one_line(error))


def _is_container(name: str) -> bool:
    """Returns True for tar and zip files. Compressed tar files count too, so that the user gets a message on them."""
    return containers.is_container_name(name) or containers.is_packed_name(name)


def _is_table(name: str) -> bool:
    """Returns True for Parquet files, except in folders such as ``_ledger/``: a name that begins with _ is no data."""
    return name.lower().endswith(_PARQUET) and not any(part.startswith(("_", ".")) for part in name.split("/"))


def _is_hidden(name: str) -> bool:
    return posixpath.basename(name).startswith(".")


def check_apart(location: str, output: str) -> None:
    """Checks that results and photographs cannot mix.

    Raises:
        OutputError: OUTPUT is INPUT, or one lies inside the other; or OUTPUT is a new folder named like an image.
    """
    where = storage.absolute(location)
    if is_image_name(output) and not storage.is_folder(storage.absolute(output)):
        raise OutputError(
            f"OUTPUT {output} is named like an image, and archive writes a folder: choose another name, or colorize "
            "one photograph with colorize image"
        )
    folder = _folder_of(where)
    holds_input = storage.is_inside(folder, output)
    if storage.is_inside(output, folder) and (holds_input or _is_recursive(where)):
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


def _is_recursive(where: str) -> bool:
    """Returns True if INPUT may have files in several folders, unlike ``scans/*.tif`` or the path of a file."""
    return storage.is_folder(where) or any(c in posixpath.dirname(where) for c in _WILDCARDS) or "**" in where
