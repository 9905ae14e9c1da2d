"""What is there: the photographs that INPUT names."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa

from colorize_core import storage
from colorize_core.archiving.inputs import path_lists, photographs
from colorize_core.archiving.spool import Spool
from colorize_core.errors import InputError, OutputError, UserError, one_line, printable
from colorize_core.images.decode import SUFFIX_LIST, is_image_name
from colorize_core.storage import Entry, containers

_WILDCARDS = "*?["
_PARQUET = photographs.PARQUET.decode()
_FILES_AT_ONCE = 1 << 15
_CHOICES = f"a folder, a glob, one of {SUFFIX_LIST}, a .tar, .zip or .parquet file, or a .txt file with a path per line"


@dataclass(frozen=True)
class Listing:
    """Every photograph of INPUT.

    Attributes:
        sources: the photographs, rows of ``photographs.SCHEMA`` in no order.
        others: how many other files lie among them.
        unlisted: folders and containers that were not looked into, each with the reason.
    """

    sources: Spool
    others: int
    unlisted: list[str]


def list_sources(location: str) -> Listing:
    """Lists a folder (recursively), a glob pattern, a file with photographs in it, or a list of paths.

    A file counts as a photograph by its suffix, whatever is in it, unless it is hidden. Tar and zip files are looked
    into wherever they are; Parquet files where nothing else is.

    Raises:
        InputError: nothing is there, or no photograph is.
    """
    found = _Found()
    where = storage.absolute(location)
    try:
        if storage.is_folder(where):
            found.add(storage.walk(where, found.tell))
        elif storage.exists(where):
            _add_file(found, where, location)
        elif any(c in where for c in _WILDCARDS):
            found.add(storage.match(where, found.tell))
        else:
            raise InputError(f"INPUT {location} does not exist: give {_CHOICES}")
    except UserError:
        raise
    except Exception as error:  # every store has its own exceptions: for no credentials, no network, no such bucket
        raise InputError(f"INPUT {location} cannot be listed: {one_line(error)}") from error
    if not found.sources.num_rows:
        hidden = f"; {len(found.unlisted)} places cannot be listed: {found.unlisted[0]}" if found.unlisted else ""
        raise InputError(
            f"INPUT {location} holds no photograph: {found.others} files, none of them {SUFFIX_LIST}{hidden}"
        )
    return Listing(found.sources, found.others, found.unlisted)


def _add_file(found: _Found, where: str, location: str) -> None:
    [entry] = storage.match(where)
    lower = where.lower()
    if is_image_name(where):
        found.add([entry])
    elif _is_container(where):
        found.take_container(entry, "")
    elif lower.endswith(_PARQUET):
        found.take_table(entry, "")
    elif lower.endswith(path_lists.SUFFIX):
        found.add(path_lists.entries(where, found.unlisted.append))
    else:
        raise InputError(f"INPUT {location} is a file but no image: give {_CHOICES}")


class _Found:
    """What was found so far."""

    def __init__(self) -> None:
        self.sources = Spool(photographs.SCHEMA)
        self.others = 0
        self.unlisted: list[str] = []

    def tell(self, error: OSError) -> None:
        """Takes note of a folder that cannot be listed."""
        self.unlisted.append(printable(one_line(error)))

    def take(self, tables: Iterable[pa.Table]) -> None:
        """Takes photographs."""
        for table in tables:
            self.sources.append(table)

    def add(self, entries: Iterable[Entry]) -> None:
        """Takes what is a photograph or has some in it."""
        entries = iter(entries)
        tables: list[Entry] = []
        while part := list(islice(entries, _FILES_AT_ONCE)):
            images = [entry for entry in part if is_image_name(entry.name)]
            self.take(photographs.of_files(images))
            rest = len(part) - len(images)
            for entry in part:
                if _is_container(entry.name) and not _is_hidden(entry.name):
                    self._take_inside(entry, self.take_container)
                    rest -= 1
            tables += [entry for entry in part if _is_table(entry.name)]
            self.others += rest
        if not self.sources.num_rows:
            self.others -= len(tables)
            for entry in tables:
                self._take_inside(entry, self.take_table)

    def take_container(self, entry: Entry, prefix: str) -> None:
        """Takes what is in a tar or zip file. Raises InputError."""
        tables, others = photographs.of_container(entry, prefix)
        self.take(tables)
        self.others += others

    def take_table(self, entry: Entry, prefix: str) -> None:
        """Takes the rows of a Parquet file. Raises InputError."""
        self.take(photographs.of_parquet(entry, prefix))

    def _take_inside(self, entry: Entry, take: Callable[[Entry, str], None]) -> None:
        try:
            take(entry, printable(entry.name) + "/")
        except InputError as error:  # it is one of many; what it has is not lost in silence
            self.unlisted.append(one_line(error))


def _is_container(name: str) -> bool:
    """Also of those that cannot be looked into: somebody has to be told."""
    return containers.is_container_name(name) or containers.is_packed_name(name)


def _is_table(name: str) -> bool:
    """Not those in ``_ledger/``: as for other readers of Parquet, what begins with _ is no data."""
    return name.lower().endswith(_PARQUET) and not any(part.startswith(("_", ".")) for part in name.split("/"))


def _is_hidden(name: str) -> bool:
    return posixpath.basename(name).startswith(".")


def check_apart(location: str, output: str) -> None:
    """Refuses places where results and photographs would mix.

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
