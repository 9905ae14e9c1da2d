from __future__ import annotations

import os
import sys
import threading

import pytest

from colorize_core.archiving import scheduling


def policy() -> int:
    return os.sched_getscheduler(threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_only_the_work_on_a_large_photograph_gives_way() -> None:
    assert scheduling.run_at_idle_priority(policy, scheduling.LARGE) == os.SCHED_OTHER
    assert scheduling.run_at_idle_priority(policy, scheduling.LARGE + 1) == os.SCHED_IDLE
    assert policy() == os.SCHED_OTHER


def test_what_the_work_raises_comes_back() -> None:
    def fail() -> int:
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        scheduling.run_at_idle_priority(fail, scheduling.LARGE + 1)
