"""Conversion between dataclasses and Arrow tables: each row type of an archive run declares its columns once.

The columns of a table are the fields of its dataclass, in the same order. Arrow's type follows from the annotation:
``str`` is string, ``bytes`` is binary, ``int`` is int64; the names below stand for the other types.
"""

from __future__ import annotations

import zoneinfo  # noqa: F401 # PyArrow imports it when it first needs it, and takes an interrupt for a missing module
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import pyarrow as pa

Int32 = Annotated[int, pa.int32()]
Float32 = Annotated[float, pa.float32()]
OptionalFloat32 = Annotated[float | None, pa.float32()]
Milliseconds = Annotated[datetime, pa.timestamp("ms", "UTC")]
_TYPES: dict[object, pa.DataType] = {str: pa.string(), bytes: pa.binary(), int: pa.int64()}
_schemas: dict[type, pa.Schema] = {}
_Row = TypeVar("_Row")


def schema_of(row_type: type) -> pa.Schema:
    """Returns the Arrow schema of a dataclass. Raises KeyError if a field has a type without an Arrow counterpart."""
    if row_type not in _schemas:  # annotations take 0.1 ms to evaluate, and a table is converted for each photograph
        hints = get_type_hints(row_type, include_extras=True)
        _schemas[row_type] = pa.schema([(name, _arrow_type(hint)) for name, hint in hints.items()])
    return _schemas[row_type]


def to_table(rows: Iterable[_Row], row_type: type[_Row]) -> pa.Table:
    """Returns a table with a row for each object and the columns of ``schema_of(row_type)``."""
    return pa.Table.from_pylist([vars(row) for row in rows], schema_of(row_type))


def from_table(table: pa.Table, row_type: type[_Row]) -> list[_Row]:
    """Returns an object for each row of a table. Reads only the columns that are fields of the dataclass."""
    return [row_type(**row) for row in table.select(schema_of(row_type).names).to_pylist()]


def shared_fields(row: object, row_type: type) -> dict[str, Any]:
    """Returns the values of a row, by name, for the fields that another row type has too."""
    return {name: value for name, value in vars(row).items() if name in schema_of(row_type).names}


def _arrow_type(hint: object) -> pa.DataType:
    if get_origin(hint) is Annotated:
        return get_args(hint)[1]
    return pa.string() if get_origin(hint) is Literal else _TYPES[hint]
