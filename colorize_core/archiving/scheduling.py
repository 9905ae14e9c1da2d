"""Priority of threads, so that ordinary photographs do not wait for a huge scan."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

LARGE = 16 << 20  # bytes of a file whose photograph takes so long that others should not wait for it
_T = TypeVar("_T")


def run_at_idle_priority(work: Callable[[], _T], size: int) -> _T:
    """Calls a function, at idle priority if it works on a large file. Returns its result or raises its exception.

    A thread of its own gets the idle priority, because only root could raise the priority of Ray's thread again.

    Args:
        work: the function.
        size: size of the photograph's file, in bytes.
    """
    if size <= LARGE:
        return work()
    with ThreadPoolExecutor(1, initializer=_lower_priority) as one:
        return one.submit(work).result()


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere the priority is that of the whole process
        with suppress(OSError):
            # Niceness does not suffice: Ray's processes have 15, and the highest, 19, would leave a third of the CPU.
            os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))
