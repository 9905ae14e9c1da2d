"""docs/developing.md names files that exist, and the rooms in the order that import-linter holds."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).parents[2]
PAGE = (REPO / "docs" / "developing.md").read_text()


def test_the_files_exist() -> None:
    paths = re.findall(r"`((?:colorize_core|jobs|tests|docs)/[\w./-]*)`", PAGE)
    assert len(paths) > 20
    for path in paths:
        if "NAME" not in path:
            assert (REPO / path).exists(), path
        else:
            assert (REPO / path).parent.is_dir(), path


def test_the_commands_are_targets_of_make() -> None:
    targets = re.findall(r"^([\w-]+):", (REPO / "Makefile").read_text(), re.MULTILINE)
    commands = re.findall(r"^make (\S+)", PAGE, re.MULTILINE)
    assert commands
    assert set(commands) <= set(targets)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib is new in Python 3.11")
def test_the_rooms_are_those_of_the_layers() -> None:
    import tomllib

    settings: dict[str, Any] = tomllib.loads((REPO / "pyproject.toml").read_text())
    [layers] = [c["layers"] for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    table = PAGE[PAGE.index("| rooms, top layer first |") : PAGE.index("## How one archive run flows")]
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines()[3:] if line.startswith("|")]
    listed = [room for row in rows for room in row]
    places = [index for room in listed for index, layer in enumerate(layers) if room in layer.split(" | ")]
    assert sorted(listed) == sorted(room for layer in layers for room in layer.split(" | "))
    assert places == sorted(places)
