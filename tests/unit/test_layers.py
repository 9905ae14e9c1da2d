"""The layers of the package, as pyproject.toml has them: they hold, and the check sees what breaks them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
LINT = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command(['--no-cache']))"


def _lint(folder: Path) -> tuple[int, str]:
    """Runs import-linter on the package in a folder; returns its status and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("colorize_core", "jobs"):
        shutil.copytree(REPO / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "pretrained"))
    shutil.copy(REPO / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_layers_hold(copy: Path) -> None:
    status, printed = _lint(copy)
    assert status == 0, printed


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("colorize_core/images/png/__init__.py", "from colorize_core.datasets import splits", "only rooms below"),
        ("colorize_core/archiving/job.py", "from colorize_core.training import losses", "only rooms below"),
        ("colorize_core/color/conversion.py", "from jobs import exits", "nothing of the jobs"),
        ("colorize_core/archiving/state/ledger.py", "from colorize_core.archiving.state import summary", "no circle"),
        ("colorize_core/new_room.py", '"""A module in no layer."""', "only rooms below"),
    ],
)
def test_an_import_that_breaks_them_is_refused(copy: Path, module: str, line: str, broken: str) -> None:
    path = copy / module
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    if broken == "no circle":  # the other half of the circle
        other = copy / "colorize_core/archiving/state/summary.py"
        other.write_text(other.read_text() + "\nfrom colorize_core.archiving.state import ledger\n")
    status, printed = _lint(copy)
    assert status != 0
    assert any(broken in each and "BROKEN" in each for each in printed.splitlines()) or "new_room" in printed, printed
