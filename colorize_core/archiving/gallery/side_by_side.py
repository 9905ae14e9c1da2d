"""A picture of photographs before and after."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from colorize_core import storage
from colorize_core.archiving import typed_rows
from colorize_core.archiving.gallery.gallery_page import FOLDER
from colorize_core.archiving.inputs import photographs
from colorize_core.archiving.inputs.photographs import ListedPhotograph
from colorize_core.archiving.spool import Spool
from colorize_core.archiving.state import ledger
from colorize_core.images import contact_sheet


def write_side_by_side(sources: Spool, output: str, truths: Mapping[str, bytes], shown: int) -> str:
    """Writes a picture of photographs before and after; gives its path.

    Args:
        sources: rows of ``photographs.SCHEMA``.
        output: of the run, with results in files.
        truths: the true colors of some, image files by name; shown where all have one.
        shown: how many at most, the first by name; those that failed are left out.
    """
    first = sources.schema.empty_table()
    for table in sources:
        first = pa.concat_tables([first, table]).sort_by("name").slice(0, shown)
    done = ledger.latest(output, first["source"].to_pylist())
    rows = []
    for photograph in typed_rows.from_table(first, ListedPhotograph):
        row = done.get(photograph.source)
        if row and row.status == "ok":
            before = photographs.read(photograph)
            after = storage.read(storage.join(output, row.output))
            rows.append((before, after, truths.get(photograph.name)))
    headings = ("before", "after", "truth") if truths else ("before", "after")
    path = storage.join(output, FOLDER, "side-by-side.png")
    storage.write(path, contact_sheet.grid([row[: len(headings)] for row in rows], headings))
    return path
