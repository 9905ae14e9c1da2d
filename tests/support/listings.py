"""The listing of an INPUT."""

from __future__ import annotations

from colorize_core.archiving import typed_rows
from colorize_core.archiving.inputs.listing import list_sources
from colorize_core.archiving.inputs.photographs import ListedPhotograph


def rows_of(location: str) -> list[ListedPhotograph]:
    """Returns the photographs of an INPUT, sorted by name."""
    listed = typed_rows.from_table(list_sources(location).sources.table(), ListedPhotograph)
    return sorted(listed, key=lambda photograph: photograph.name)
