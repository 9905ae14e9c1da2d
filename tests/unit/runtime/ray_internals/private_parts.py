"""Looks up private parts of Ray for the tests of what uses them."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import ray


def find(module: str, name: str, user: str) -> Any:
    """Returns a private part of Ray; fails the test with one sentence if this version of Ray lacks it.

    Args:
        module: module of Ray.
        name: dotted name in it.
        user: what in ``runtime/ray_internals`` uses it.
    """
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        pytest.fail(
            f"Ray {ray.__version__} has no {module}.{name}, which {user} uses: adapt it, or bound Ray in pyproject",
            pytrace=False,
        )
    return found
