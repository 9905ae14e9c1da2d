"""Names of results: stable over runs, unique, and accepted by every file system."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from colorize_core.archiving.planning.partitions import casefolded

_RESERVED = ("_ledger", "_lock", "_partial", "_report", "_runs")  # folders in OUTPUT
_PAGE = re.compile(r"\.page-\d+$", re.IGNORECASE)
_FOLDER_BYTES = 255  # longest name that most file systems accept
_NAME_BYTES = _FOLDER_BYTES - len(".page-10000")


@dataclass(frozen=True)
class OutputNames:
    """A map from sources to outputs: ``album/a.tif`` gets ``album/a.png``. No two outputs are equal ``casefolded``.

    A source keeps the name that the ledger has for it, and the name stays taken when the source is gone. If names
    collide, the first source in alphabetical order gets the plain name; others keep their suffix (``a.tif.png``).

    Attributes:
        suffix: suffix of outputs, such as '.png'.
        in_shards: outputs lie in shards, where every name keeps the suffix of its source: the ledger records only the
            shard, and so could not say which of two sources had the plain name.
        results: names of earlier results, ``casefolded``, that are also names of source folders now.
    """

    suffix: str
    in_shards: bool
    results: set[str]

    def assign(self, rows: pa.Table, done: pa.Table, folders: set[str]) -> list[str]:
        """Returns the outputs of the photographs of one partition.

        Args:
            rows: rows of ``photographs.SCHEMA``, sorted by name.
            done: rows of the ledger with ``source`` and ``output``.
            folders: names that results must not have, ``casefolded``, since they are folders.
        """
        named = done.filter(pc.ends_with(done["output"], self.suffix))
        known: list[str | None] = named["output"].take(pc.index_in(rows["source"], named["source"])).to_pylist()
        taken = {casefolded(output) for output in done["output"].to_pylist()} | folders
        outputs = []
        for output, name, uri in zip(known, rows["name"].to_pylist(), rows["source"].to_pylist(), strict=True):
            if output is None:
                output = next(each for each in self._candidates(name, uri) if casefolded(each) not in taken)
                taken.add(casefolded(output))
            outputs.append(output)
        return outputs

    def _candidates(self, name: str, uri: str) -> Iterable[str]:
        suffix, mark = self.suffix, "." + _mark_of(uri)
        name = self._storable(name)
        plain = [] if self.in_shards else [posixpath.splitext(name)[0] + suffix]
        for candidate in (*plain, name + suffix):
            stem = posixpath.splitext(posixpath.basename(candidate))[0]
            if len((stem + suffix).encode()) <= _NAME_BYTES and not _PAGE.search(stem):
                yield candidate
        folder, base = posixpath.split(name)
        room = _NAME_BYTES - len((mark + suffix).encode())
        short = base.encode()[:room].decode(errors="ignore")
        yield posixpath.join(folder, short + mark + suffix)

    def _storable(self, name: str) -> str:
        """Returns a path whose folders have other names where theirs are too long, reserved, or names of results."""
        *folders, base = name.split("/")
        if folders and casefolded(folders[0]) in _RESERVED:
            folders[0] = "_" + folders[0]
        for last in range(len(folders)) if self.results else ():
            path = "/".join(folders[: last + 1])
            if casefolded(path) in self.results:
                folders[last] += "." + _mark_of(path)
        return "/".join([*map(_short, folders), base])


def _short(folder: str) -> str:
    if len(folder.encode()) <= _FOLDER_BYTES:
        return folder
    mark = "." + _mark_of(folder)
    return folder.encode()[: _FOLDER_BYTES - len(mark)].decode(errors="ignore") + mark


def _mark_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def of_page(output: str, number: int) -> str:
    """Returns the name of page 1, 2, 3 … of a photograph with this output. No photograph gets the name of a page.

    Example:
        >>> of_page("album/a.png", 1), of_page("album/a.png", 2)
        ('album/a.png', 'album/a.page-2.png')
    """
    stem, suffix = posixpath.splitext(output)
    return f"{stem}.page-{number}{suffix}" if number > 1 else output


def folders_like_outputs(sources: Iterable[pa.Table], suffix: str) -> set[str]:
    """Returns the source folders, ``casefolded``, whose name a result could get too, such as ``album.png/``."""
    found: set[str] = set()
    for table in sources:
        inside = pc.match_substring(table["name"], suffix + "/", ignore_case=True)
        for name in table["name"].filter(inside).to_pylist():
            found |= {casefolded(str(folder)) for folder in PurePosixPath(name).parents}
    return found


def results_among(done: Iterable[pa.Table], folders: set[str]) -> set[str]:
    """Returns the folders, ``casefolded``, that have the name of a result in the ledger."""
    if not folders:
        return set()
    return {casefolded(output) for table in done for output in table["output"].to_pylist()} & folders
