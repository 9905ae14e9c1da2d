"""Who waits for whom where a huge scan lies among ordinary photographs."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

LARGE = 16 << 20  # bytes of a file whose photograph takes so long that others are not to wait for it
_T = TypeVar("_T")


def run_at_idle_priority(work: Callable[[], _T], size: int) -> _T:
    """Does work on a photograph whose file has ``size`` bytes; raises what it does.

    That of a large one is done in a thread that gets the processor when no other thread of the machine wants it. Ray's
    process goes on as before: only root could raise the priority of one that has lowered it.
    """
    if size <= LARGE:
        return work()
    with ThreadPoolExecutor(1, initializer=_give_way) as one:
        return one.submit(work).result()


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere it would be the whole process
        with suppress(OSError):
            # Ray's processes have a niceness of 15 themselves, of which the highest, 19, would leave it a third.
            os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))
