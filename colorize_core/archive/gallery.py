"""A look at what a run did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from colorize_core import storage
from colorize_core.archive import ledger
from colorize_core.archive.source import Source
from colorize_core.evaluation import pictures

FOLDER = "_report"


def write_side_by_side(sources: Sequence[Source], output: str, truths: Mapping[str, bytes]) -> str:
    """Writes a picture of photographs before and after; gives its path.

    Args:
        sources: what to show; those that failed are left out.
        output: of the run, with results in files.
        truths: the true colors of some, image files by name; shown where all have one.
    """
    done = ledger.read(output)
    rows = []
    for source in sources:
        row = done.latest.get(source.uri)
        if row and row.status == "ok":
            before, after = storage.read(source.path), storage.read(storage.join(output, row.output))
            rows.append((before, after, truths.get(source.name)))
    headings = ("before", "after", "truth") if truths else ("before", "after")
    path = storage.join(output, FOLDER, "side-by-side.png")
    storage.write(path, pictures.grid([row[: len(headings)] for row in rows], headings))
    return path
