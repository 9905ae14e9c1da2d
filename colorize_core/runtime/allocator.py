"""Sets how the C library's allocator treats freed memory."""

from __future__ import annotations

import ctypes
import sys

# Parameters of mallopt(3), as in malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_KEPT = 2**31 - 1  # bytes of free memory to keep: the largest int
_TAKEN = 256 << 20  # bytes to request from the system at a time


def keep_free_memory() -> None:
    """Keeps freed memory for the next allocation instead of returning it to the system.

    This is for processes that allocate the same large arrays again and again, as each training step does. By default,
    glibc returns an array of more than 32 MiB at once, and the system clears every page of the next one: on a virtual
    machine this took as long as all of the arithmetic. The process never shrinks afterwards. Does nothing if the C
    library is not GNU's.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for parameter, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _KEPT), (_M_TOP_PAD, _TAKEN)):
            mallopt(parameter, value)
