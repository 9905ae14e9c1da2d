"""Counts the CPUs that this process may use."""

from __future__ import annotations

import math
import os
from contextlib import suppress


def cpus() -> int:
    """Returns the number of CPUs that this process may use: those it is bound to, within its container's quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError), open("/sys/fs/cgroup/cpu.max") as file:
        quota, period = file.read().split()
        if quota != "max":
            bound = min(bound, math.ceil(int(quota) / int(period)))
    return max(1, bound)
