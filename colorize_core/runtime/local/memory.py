"""Kills a child process before it uses the last memory of the machine or of the container.

Without this, the kernel would kill a process of its choice, which may be the parent with the lock and the terminal.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

SPARE = 0.04  # fraction of all memory that must stay free
_OWN = 0.1  # fraction of all memory that a process must hold to be killed
_EVERY = 0.1  # seconds between two checks
_RECOVERY = 2.0  # seconds until the memory of a killed process counts as free
_GROUP = Path("/sys/fs/cgroup")


class MemoryGuard:
    """A thread that kills the largest of some processes when memory runs out.

    A process that holds less than a tenth of all memory is not killed: other programs use the memory then. Does nothing
    on systems without /proc.

    Args:
        processes: returns the ids of the processes to watch.
        spare: fraction of all memory that must stay free.
    """

    def __init__(self, processes: Callable[[], Sequence[int]], spare: float = SPARE) -> None:
        self._processes, self._spare = processes, spare
        self._stopped = threading.Event()

    def start(self) -> None:
        """Starts the thread."""
        if list(_shares_left()):
            threading.Thread(target=self._watch, name="memory", daemon=True).start()

    def stop(self) -> None:
        """Stops the thread."""
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
    """Returns the fraction of the machine's memory that a process holds; 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages / os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0.0


def _shares_left() -> Iterator[float]:
    """Yields the fraction of free memory of the machine, then that of the container, as far as they are known."""
    try:
        with open("/proc/meminfo") as file:
            sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in file)}
        yield sizes["MemAvailable"] / sizes["MemTotal"]
        limit = (_GROUP / "memory.max").read_text().strip()
        if limit != "max":
            used = int((_GROUP / "memory.current").read_text())
            facts = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
            files = int(facts["inactive_file"]) + int(facts["active_file"])  # a cache that the kernel drops first
            yield 1 - (used - files) / int(limit)
    except (OSError, ValueError, KeyError):
        return
