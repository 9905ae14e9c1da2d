"""A folder that may not be listed, also if the tests run as root."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from colorize_core import storage


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a folder with photographs. Its subfolder ``locked`` may not be listed."""
    for name in ("in/a/1.jpg", "in/locked/2.jpg", "in/locked/b/3.jpg"):
        storage.write(str(tmp_path / name), b"x")
    scandir = os.scandir

    def refusing(path: str) -> object:
        if os.path.basename(path) == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    return tmp_path / "in"
