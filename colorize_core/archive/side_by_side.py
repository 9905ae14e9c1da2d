"""A picture of photographs before and after."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from colorize_core import storage
from colorize_core.archive import ledger, parts
from colorize_core.archive.gallery import FOLDER
from colorize_core.archive.spool import Spool
from colorize_core.evaluation import pictures


def write_side_by_side(sources: Spool, output: str, truths: Mapping[str, bytes], shown: int) -> str:
    """Writes a picture of photographs before and after; gives its path.

    Args:
        sources: rows of ``parts.SCHEMA``.
        output: of the run, with results in files.
        truths: the true colors of some, image files by name; shown where all have one.
        shown: how many at most, the first by name; those that failed are left out.
    """
    first = sources.schema.empty_table()
    for table in sources:
        first = pa.concat_tables([first, table]).sort_by("name").slice(0, shown)
    done = ledger.latest(output, first["source"].to_pylist())
    rows = []
    for photograph in first.to_pylist():
        row = done.get(photograph["source"])
        if row and row.status == "ok":
            before = parts.read(photograph)
            after = storage.read(storage.join(output, row.output))
            rows.append((before, after, truths.get(photograph["name"])))
    headings = ("before", "after", "truth") if truths else ("before", "after")
    path = storage.join(output, FOLDER, "side-by-side.png")
    storage.write(path, pictures.grid([row[: len(headings)] for row in rows], headings))
    return path
