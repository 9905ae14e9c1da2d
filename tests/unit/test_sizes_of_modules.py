"""Modules are short enough to be read at once."""

from __future__ import annotations

from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]


@pytest.mark.parametrize(("folder", "most"), [("colorize_core", 300), ("jobs", 79), ("tests", 300)])
def test_no_module_is_longer(folder: str, most: int) -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in (REPO / folder).rglob("*.py")}
    assert len(lengths) > 10
    assert {str(path.relative_to(REPO)): length for path, length in lengths.items() if length > most} == {}
