"""What an INPUT is listed as."""

from __future__ import annotations

from typing import Any

from colorize_core.archiving.inputs.listing import list_sources


def rows_of(location: str) -> list[dict[str, Any]]:
    """Rows of ``parts.SCHEMA``, sorted by name."""
    return sorted(list_sources(location).sources.table().to_pylist(), key=lambda row: row["name"])
