"""What results are called: the same on every run, never two alike, never what a file system refuses."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from colorize_core.archiving.spool import folded

_OURS = ("_ledger", "_lock", "_partial", "_report", "_runs")  # folders in OUTPUT
_PAGE = re.compile(r"\.page-\d+$", re.IGNORECASE)
_FOLDER_BYTES = 255  # of a name, which most file systems take
_NAME_BYTES = _FOLDER_BYTES - len(".page-10000")


@dataclass(frozen=True)
class Names:
    """An output per source: ``album/a.png`` for ``album/a.tif``, no two alike, nor ``folded`` alike.

    What the ledger has named keeps its name, and it stays taken when its source is gone. Of those that clash the first
    by name gets the plain one, others keep their own suffix in it (``a.tif.png``).

    Attributes:
        suffix: of outputs, as '.png'.
        in_shards: they lie in shards, where each has the suffix of its source in its name: the ledger, which knows the
            shard alone, could not tell which of two had the plain one.
        results: ``folded``, those of earlier runs that now are also the names of source folders.
    """

    suffix: str
    in_shards: bool
    results: set[str]

    def of(self, rows: pa.Table, done: pa.Table, folders: set[str]) -> list[str]:
        """Of the photographs of one bucket.

        Args:
            rows: of ``parts.SCHEMA``, sorted by name.
            done: what the ledger says of them, with ``source`` and ``output``.
            folders: that results must not be named after, ``folded``.
        """
        named = done.filter(pc.ends_with(done["output"], self.suffix))
        known: list[str | None] = named["output"].take(pc.index_in(rows["source"], named["source"])).to_pylist()
        taken = {folded(output) for output in done["output"].to_pylist()} | folders
        outputs = []
        for output, name, uri in zip(known, rows["name"].to_pylist(), rows["source"].to_pylist(), strict=True):
            if output is None:
                output = next(each for each in self._candidates(name, uri) if folded(each) not in taken)
                taken.add(folded(output))
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
        """The name with no folder that is longer than file systems take, that is ours, or that is a file by now."""
        *folders, base = name.split("/")
        if folders and folded(folders[0]) in _OURS:
            folders[0] = "_" + folders[0]
        for last in range(len(folders)) if self.results else ():
            path = "/".join(folders[: last + 1])
            if folded(path) in self.results:
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
    """What page 2, 3 … of a photograph with this output is called; no photograph itself is called so."""
    stem, suffix = posixpath.splitext(output)
    return f"{stem}.page-{number}{suffix}" if number > 1 else output


def folders_like_outputs(sources: Iterable[pa.Table], suffix: str) -> set[str]:
    """``folded``, the folders of sources that a result could be named after, as ``album.png/``."""
    found: set[str] = set()
    for table in sources:
        inside = pc.match_substring(table["name"], suffix + "/", ignore_case=True)
        for name in table["name"].filter(inside).to_pylist():
            found |= {folded(str(folder)) for folder in PurePosixPath(name).parents}
    return found


def results_among(done: Iterable[pa.Table], folders: set[str]) -> set[str]:
    """Those folders that have the name of a result."""
    if not folders:
        return set()
    return {folded(output) for table in done for output in table["output"].to_pylist()} & folders
