"""Rows of any type in a Ray data set: one binary column with a pickled object per row.

A column per field would need an Arrow type for each field. Pickled NumPy arrays are copied once, whatever their sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]
"""A NumPy batch of a Ray data set: columns of equal length by name."""

_COLUMN = "row"


def to_table(rows: Iterable[object]) -> pa.Table:
    """Returns a table with one pickled object per row, which a function for ``map_batches`` can return."""
    from ray import cloudpickle

    return pa.table({_COLUMN: pa.array([cloudpickle.dumps(row) for row in rows], pa.large_binary())})


def from_columns(columns: Columns) -> list[Any]:
    """Returns the objects of a NumPy batch of such tables. The caller knows their type."""
    from ray import cloudpickle

    return [cloudpickle.loads(content) for content in columns[_COLUMN]]
