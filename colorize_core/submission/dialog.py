"""Shows a submitted job to the user: its log on standard output, messages and questions on standard error."""

from __future__ import annotations

import sys
from typing import Literal, Protocol

import click

from colorize_core.submission.signals import signals_raised

Answer = Literal["stop", "leave", "watch"]
STOP: Answer = "stop"
LEAVE: Answer = "leave"
WATCH: Answer = "watch"
_ANSWERS = (STOP, LEAVE, WATCH)


class Dialog(Protocol):
    """The interface through which ``submit`` talks to the user."""

    def show(self, text: str) -> None:
        """Shows a piece of the job's log."""

    def say(self, line: str) -> None:
        """Shows a message about the job."""

    def ask(self, identity: str) -> Answer:
        """Asks a user who pressed Ctrl-C whether to stop the job, leave it running, or watch it again."""


class TerminalDialog:
    """A ``Dialog`` on the standard streams of this process."""

    def show(self, text: str) -> None:
        """Writes to standard output, which holds the log and nothing else."""
        click.echo(text, nl=False)

    def say(self, line: str) -> None:
        """Writes a line to standard error."""
        click.echo(line, err=True)

    def ask(self, identity: str) -> Answer:
        """Reads the user's answer; its first letter is enough.

        Returns LEAVE without asking if there is no terminal, and on a second Ctrl-C.
        """
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return LEAVE
        try:
            with signals_raised():
                while True:
                    click.echo(f"\nstop {identity}, leave it running, or watch it again? [s/l/w] ", err=True, nl=False)
                    line = sys.stdin.readline()
                    word = line.strip().lower()
                    if found := [answer for answer in _ANSWERS if word and answer.startswith(word)]:
                        return found[0]
                    if not line:  # the end of the input
                        break
        except KeyboardInterrupt:
            pass
        click.echo(err=True)
        return LEAVE
