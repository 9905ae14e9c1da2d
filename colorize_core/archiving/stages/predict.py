"""Stage 2 of an archive run: predicts the colors of each page."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pyarrow as pa

from colorize_core.archiving import typed_rows
from colorize_core.archiving.stages import pages
from colorize_core.archiving.stages.pages import PageRow
from colorize_core.inference.colorizer import Colorizer


def predict(batch: pa.Table, colorizers: Sequence[Colorizer]) -> pa.Table:
    """Returns a table of ``pages.SCHEMA`` with ab in place of gray pixels. Rows without gray pixels stay unchanged.

    Args:
        batch: a table of ``pages.SCHEMA``.
        colorizers: the one network.
    """
    [colorizer] = colorizers
    rows = typed_rows.from_table(batch, PageRow)
    grays = {index: gray for index, row in enumerate(rows) if (gray := row.gray_pixels()) is not None}
    started = time.perf_counter()
    predictions = colorizer.predict_with_doubt(list(grays.values()))
    seconds = (time.perf_counter() - started) / max(1, len(grays))
    for index, colors in zip(grays, predictions, strict=True):
        rows[index] = rows[index].with_prediction(colors, seconds)
    return pages.to_table(rows, batch["file"])
