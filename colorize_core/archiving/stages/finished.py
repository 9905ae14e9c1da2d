"""The table that leaves the last stage: the ledger's row of each photograph, and the seconds in each stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from colorize_core.archiving import typed_rows
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.archiving.state.summary import StageSeconds


@dataclass(frozen=True)
class FinishedPhotograph:
    """A photograph that went through all stages.

    Attributes:
        row: the photograph's row for the ledger.
        seconds: seconds of work on the photograph, by stage.
    """

    row: LedgerRow
    seconds: StageSeconds


SCHEMA = pa.schema([*typed_rows.schema_of(LedgerRow), *typed_rows.schema_of(StageSeconds)])


def to_table(photographs: Sequence[FinishedPhotograph]) -> pa.Table:
    """Returns a table of ``SCHEMA``."""
    rows = typed_rows.to_table([each.row for each in photographs], LedgerRow)
    seconds = typed_rows.to_table([each.seconds for each in photographs], StageSeconds)
    return pa.Table.from_arrays([*rows.columns, *seconds.columns], schema=SCHEMA)


def from_table(table: pa.Table) -> list[FinishedPhotograph]:
    """Returns the photographs of a table of ``SCHEMA``."""
    rows, seconds = typed_rows.from_table(table, LedgerRow), typed_rows.from_table(table, StageSeconds)
    return [FinishedPhotograph(*pair) for pair in zip(rows, seconds, strict=True)]
