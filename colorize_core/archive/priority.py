"""Who waits for whom where a huge scan lies among ordinary photographs."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

_T = TypeVar("_T")
_LEAST = 19  # niceness


def aside(work: Callable[[], _T]) -> _T:
    """Does work in a thread that gets the processor when no other thread of the machine wants it; raises what it does.

    Ray's process goes on as before: only root could raise the priority of one that has lowered it.
    """
    with ThreadPoolExecutor(1, initializer=_give_way) as one:
        return one.submit(work).result()


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere it would be the whole process
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LEAST)
