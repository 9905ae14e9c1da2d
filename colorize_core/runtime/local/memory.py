"""Ends a process that is about to take the last memory of its machine, or of its container.

The kernel would end some process then: the one that took it, if all goes well, or the one that holds the lock and the
terminal.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

SPARE = 0.04  # part of all memory that must stay free
_OWN = 0.1  # part of all memory below which a process is not the one to blame
_EVERY = 0.1  # seconds between two looks
_RECOVERY = 2.0  # seconds until the memory of a process that was killed is counted as free
_GROUP = Path("/sys/fs/cgroup")


class MemoryGuard:
    """Watches from a thread, and kills the largest of some processes when memory runs out.

    One that holds little is left alone: then other programs have taken the memory. Does nothing without /proc.

    Args:
        processes: gives the numbers of those that are watched.
        spare: part of all memory that must stay free.
    """

    def __init__(self, processes: Callable[[], Sequence[int]], spare: float = SPARE) -> None:
        self._processes, self._spare = processes, spare
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begins to watch."""
        if list(_shares_left()):
            threading.Thread(target=self._watch, name="memory", daemon=True).start()

    def stop(self) -> None:
        """Ends the watch."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(_EVERY):
            if min(_shares_left(), default=1.0) >= self._spare:
                continue
            share, pid = max(((_share_held(pid), pid) for pid in self._processes()), default=(0.0, 0))
            if share >= _OWN:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                self._stopped.wait(_RECOVERY)


def _share_held(pid: int) -> float:
    """Returns which part of the machine's memory a process holds."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages / os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0.0


def _shares_left() -> Iterator[float]:
    """Yields which part of its memory the machine has left, and which the container, where these are known."""
    try:
        with open("/proc/meminfo") as file:
            sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in file)}
        yield sizes["MemAvailable"] / sizes["MemTotal"]
        limit = (_GROUP / "memory.max").read_text().strip()
        if limit != "max":
            used = int((_GROUP / "memory.current").read_text())
            facts = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
            files = int(facts["inactive_file"]) + int(facts["active_file"])  # the kernel drops them first
            yield 1 - (used - files) / int(limit)
    except (OSError, ValueError, KeyError):
        return
