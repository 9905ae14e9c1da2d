"""What this process does with memory that is free again."""

from __future__ import annotations

import ctypes
import sys

# Of malloc.h, for mallopt(3).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_KEPT = 2**31 - 1  # bytes, as many as an int says
_TAKEN = 256 << 20  # bytes at a time


def keep_free_memory() -> None:
    """Keeps what is free again for the next allocation, in place of giving it back to the system.

    For processes that allocate the same large arrays over and over, as each step of a training does: glibc returns each
    array of more than 32 MiB at once, and the system clears every page of the next one. On a virtual machine that took
    as long as all of the arithmetic. The process stays as large as it once was. Does nothing where the C library is not
    GNU's.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for parameter, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _KEPT), (_M_TOP_PAD, _TAKEN)):
            mallopt(parameter, value)
