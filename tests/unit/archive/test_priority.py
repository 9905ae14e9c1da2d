from __future__ import annotations

import os
import sys
import threading

import pytest

from colorize_core.archive import priority


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_only_the_work_gives_way() -> None:
    before = niceness()
    assert priority.aside(niceness) == 19
    assert niceness() == before


def test_what_the_work_raises_comes_back() -> None:
    def fail() -> int:
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        priority.aside(fail)
