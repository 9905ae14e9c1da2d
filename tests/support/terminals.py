"""Processes that a person runs at a terminal: a pseudo terminal, whose keys make signals as real ones do."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.processes import hear_signals

CTRL_C = "\x03"


class PseudoTerminal:
    """A process and what stands on its terminal."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self.text = ""
        self._read = 0

    def press(self, keys: str) -> None:
        """As if typed."""
        os.write(self._master, keys.encode())

    def wait_for(self, words: str, seconds: float = 600) -> None:
        """Reads on until these words came, after those that were waited for before."""
        deadline = time.monotonic() + seconds
        while words not in self.text[self._read :]:
            if time.monotonic() > deadline or not self._more():
                raise AssertionError(f"{words!r} did not come: {self.text}")
        self._read = self.text.index(words, self._read) + len(words)

    def end(self, seconds: float = 600) -> int:
        """Reads to the end; the exit status."""
        deadline = time.monotonic() + seconds
        while self._more() and time.monotonic() < deadline:
            pass
        return self.process.wait(timeout=120)

    def _more(self) -> bool:
        if select.select([self._master], [], [], 1)[0]:
            try:
                content = os.read(self._master, 1 << 16)
            except OSError:  # Linux says so that no process has the terminal open any longer
                return False
            self.text += content.decode(errors="replace").replace("\r\n", "\n")
            return bool(content)
        return True


@contextmanager
def at_a_terminal(call: list[str], environment: dict[str, str]) -> Iterator[PseudoTerminal]:
    """Runs a command in the foreground of a terminal of its own; ends it if need be."""
    master, slave = pty.openpty()
    control = f"import fcntl, os, sys; fcntl.ioctl(0, {termios.TIOCSCTTY}, 0); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", control, *call],
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=hear_signals,
    )
    os.close(slave)
    fcntl.fcntl(master, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    try:
        yield PseudoTerminal(process, master)
    finally:
        process.kill()
        process.wait(timeout=120)
        os.close(master)
