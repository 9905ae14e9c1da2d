"""A folder in each kind of store."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest


@pytest.fixture(params=["local", "memory", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yields a folder in each kind of store: a local disk, fsspec's memory, an S3 server of our own."""
    if request.param == "local":
        yield str(tmp_path / "root")
    elif request.param == "s3":
        yield request.getfixturevalue("bucket") + "/root"
    else:
        url = f"memory://{uuid.uuid4().hex}/root"
        yield url
        filesystem, inner = fsspec.core.url_to_fs(url)
        if filesystem.exists(inner):
            filesystem.rm(inner, recursive=True)
