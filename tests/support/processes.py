"""Jobs in child processes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path


def hear_signals() -> None:
    """Makes a child process hear SIGINT again; for ``preexec_fn``.

    Processes that a shell starts with ``&`` ignore SIGINT, and so do their children, such as these tests.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def marked(mark: str, title: bytes) -> Iterator[int]:
    """Yields the ids of processes with this mark in their environment and this text in their command line."""
    for path in Path("/proc").iterdir():
        try:
            if title in (path / "cmdline").read_bytes() and mark.encode() in (path / "environ").read_bytes():
                yield int(path.name)
        except (OSError, ValueError):  # it has ended, or the entry is not a process
            continue
