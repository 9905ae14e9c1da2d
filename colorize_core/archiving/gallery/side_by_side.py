"""Draws a picture that shows photographs before and after they were colorized, side by side."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from colorize_core import storage
from colorize_core.archiving import typed_rows
from colorize_core.archiving.gallery.gallery_page import FOLDER
from colorize_core.archiving.inputs import photographs
from colorize_core.archiving.inputs.photographs import ListedPhotograph
from colorize_core.archiving.spilled_table import SpilledTable
from colorize_core.archiving.state import ledger
from colorize_core.images import contact_sheet


def write_side_by_side(sources: SpilledTable, output: str, truths: Mapping[str, bytes], shown: int) -> str:
    """Writes a picture that shows photographs before and after. Returns its path.

    Args:
        sources: rows of ``photographs.SCHEMA``.
        output: OUTPUT of the run, with one file per photograph.
        truths: image files with the true colors, by name; shown if there are any.
        shown: largest number of photographs: the first ones by name. Those of them that failed are left out.
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
