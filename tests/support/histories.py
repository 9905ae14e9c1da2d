"""Rows of a training's history."""

from __future__ import annotations

from colorize_core.training.history import COLUMNS, HistoryRow


def history_row(epoch: int, **values: float | None) -> HistoryRow:
    """Returns a row of an epoch with the given values by column; the other columns are 0."""
    return HistoryRow(epoch, **{**dict.fromkeys(COLUMNS[1:], 0.0), **values})
