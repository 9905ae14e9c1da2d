from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from colorize_core import storage


@pytest.fixture(params=["local", "memory"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yields an output folder, on the disk and in fsspec's memory."""
    if request.param == "local":
        yield str(tmp_path / "out")
    else:
        yield "memory://test-sink/out"
        if storage.exists("memory://test-sink"):
            storage.remove("memory://test-sink")
