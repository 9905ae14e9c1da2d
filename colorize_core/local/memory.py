"""Ends a process that is about to take the last memory of its machine, or of its container.

The kernel would end some process then: this one, if all goes well, or the one that holds the lock and the terminal.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

_SPARE = 0.04  # part of all memory that must stay free
_EVERY = 0.1  # seconds between two looks
_GROUP = Path("/sys/fs/cgroup")


class Guard:
    """Watches from a thread until ``stop``, and kills the process when memory runs out. Does nothing without /proc."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._stopped = threading.Event()
        if list(_shares_left()):
            threading.Thread(target=self._watch, name="memory", daemon=True).start()

    def stop(self) -> None:
        """Ends the watch."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(_EVERY):
            if min(_shares_left(), default=1.0) < _SPARE:
                self._process.kill()
                return


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
