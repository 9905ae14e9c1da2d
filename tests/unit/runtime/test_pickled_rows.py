"""Rows of any type come back from a table as they were."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from colorize_core.runtime import pickled_rows


class Row(NamedTuple):
    name: str
    content: bytes
    pixels: np.ndarray


def test_rows_come_back() -> None:
    rows = [
        Row("surrogate \udcff", b"ends with zeros\0\0", np.arange(6, dtype=np.uint8).reshape(2, 3)),
        Row("", b"", np.zeros((0, 0, 3), np.float16)),
    ]
    table = pickled_rows.to_table(rows)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    for row, result in zip(rows, pickled_rows.from_columns(columns), strict=True):
        assert (result.name, result.content, result.pixels.dtype) == (row.name, row.content, row.pixels.dtype)
        np.testing.assert_array_equal(result.pixels, row.pixels)
