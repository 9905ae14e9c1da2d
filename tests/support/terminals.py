"""A pseudo terminal for processes, where Ctrl-C sends a signal as on a real terminal."""

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
    """A pseudo terminal: the process that runs on it, and the text that it printed."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self.text = ""
        self._read = 0

    def press(self, keys: str) -> None:
        """Sends keys to the process, as if they were typed."""
        os.write(self._master, keys.encode())

    def wait_for(self, words: str, seconds: float = 600) -> None:
        """Reads until these words appear, behind the words of the last call."""
        deadline = time.monotonic() + seconds
        while words not in self.text[self._read :]:
            if time.monotonic() > deadline or not self._more():
                raise AssertionError(f"{words!r} did not come: {self.text}")
        self._read = self.text.index(words, self._read) + len(words)

    def end(self, seconds: float = 600) -> int:
        """Reads until the process ends; returns its exit status."""
        deadline = time.monotonic() + seconds
        while self._more() and time.monotonic() < deadline:
            pass
        return self.process.wait(timeout=120)

    def _more(self) -> bool:
        if select.select([self._master], [], [], 1)[0]:
            try:
                content = os.read(self._master, 1 << 16)
            except OSError:  # on Linux, no process has the terminal open any longer
                return False
            self.text += content.decode(errors="replace").replace("\r\n", "\n")
            return bool(content)
        return True


@contextmanager
def at_a_terminal(call: list[str], environment: dict[str, str]) -> Iterator[PseudoTerminal]:
    """Runs a command in the foreground of its own pseudo terminal, and ends the command if it still runs."""
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
