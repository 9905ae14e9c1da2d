"""Each test is in one of the two tiers, and no entry of their list is stale."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.tiers import FIRST, THOROUGH, is_thorough

REPO = Path(__file__).parents[2]


def test_every_entry_names_a_test_that_is_there() -> None:
    files = sorted({entry.partition("::")[0] for entry in (*THOROUGH, *FIRST)})
    call = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    listed = subprocess.run(call, cwd=REPO, capture_output=True, text=True, check=True).stdout.splitlines()
    names = [line for line in listed if "::" in line]
    for entry in (*THOROUGH, *FIRST):
        assert any(name.startswith(entry) for name in names), entry
    assert {is_thorough(name) for name in names} == {True, False}
