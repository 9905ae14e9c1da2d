"""What a person sees of a submitted job, and is asked about it: its log on standard output, all else beside it."""

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


class Screen(Protocol):
    """The user."""

    def show(self, text: str) -> None:
        """What the job printed, as it comes."""

    def say(self, line: str) -> None:
        """What happens to the job."""

    def ask(self, identity: str) -> Answer:
        """What is to become of the job, now that the user interrupts."""


class Terminal:
    """The standard streams."""

    def show(self, text: str) -> None:
        """Standard output has the log and nothing else."""
        click.echo(text, nl=False)

    def say(self, line: str) -> None:
        """On standard error."""
        click.echo(line, err=True)

    def ask(self, identity: str) -> Answer:
        """A first letter will do; without a terminal, or interrupted again, the job is left running."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return LEAVE
        try:
            with signals_raised():
                while True:
                    click.echo(f"\nstop {identity}, leave it running, or watch on? [s/l/w] ", err=True, nl=False)
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
