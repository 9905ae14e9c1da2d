"""Freed memory is kept, measured by the pages that the system has to clear."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from colorize_core.runtime import allocator
if sys.argv[1] == "keep":
    allocator.keep_free_memory()
def allocate(times):
    for _ in range(times):
        np.ones(40 << 20, np.uint8)
allocate(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
allocate(10)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", FAULTS, how], check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the allocator of GNU's C library is told to")
def test_an_array_of_the_same_size_needs_no_new_pages() -> None:
    returned, kept = page_faults("return"), page_faults("keep")
    assert kept < 100
    assert returned > 10 * max(kept, 1)  # a page of 4 KiB, or of 2 MiB: 200 at least
