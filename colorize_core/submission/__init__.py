"""Jobs that run on a cluster: sent there, watched from here, stopped or left running as the user says.

What is sent (``cargo``) goes to the cluster (``server``) under a name (``names``); what the job prints and how it ends
comes back (``following``), beside what the user does (``signals``) and sees (``screen``).
"""

from __future__ import annotations

import shlex
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from colorize_core.submission import cargo
from colorize_core.submission.following import Ended, Event, Lost, Noticed, Printed, follow
from colorize_core.submission.screen import LEAVE, WATCH, Screen
from colorize_core.submission.server import JobServer
from colorize_core.submission.signals import Signal, signals_to

_INTERRUPTED = 130


@dataclass(frozen=True)
class Submission:
    """A job that is to run on a cluster.

    Attributes:
        identity: its name there, as ``names`` makes it.
        command: for a shell on the cluster.
        packages: folders of Python code that are sent along; the job begins in the folder that they lie in.
        files: relative paths of files, and of folders with bundles, that are sent along and lie there too.
    """

    identity: str
    command: str
    packages: Sequence[Path] = ()
    files: Sequence[str] = ()


def shell_command(module: str, arguments: Sequence[str]) -> str:
    """A line for the shell that starts a module of ours with these arguments, whatever is in them."""
    return shlex.join(["python", "-m", module, *arguments])


def submit(job: Submission, address: str, screen: Screen, *, wait: bool = True) -> int:
    """Submits a job, unless that was done under its name before, and watches it; gives its exit status.

    Of several who submit under one name at once, Ray takes one; all watch it. 130 for a job that was stopped, and for
    one that goes on when the user or a SIGTERM ends the watching; 0 where nobody waits.

    Args:
        job: what is to run.
        address: of the dashboard, as ``http://127.0.0.1:8265``.
        screen: of the user.
        wait: for the end of the job.

    Raises:
        UserError: what is to be sent is not there, or too much; the address is none.
        ColorizeError: the cluster cannot be reached, refuses the job, or was out of reach for ten minutes.
    """
    members = cargo.choose(job.packages, job.files)
    server = JobServer(address, screen.say)
    events: SimpleQueue[Event | Signal] = SimpleQueue()
    with signals_to(events.put):
        _hand_over(server, job, members, screen)
        return _watch(server, job.identity, screen, events) if wait else 0


def _hand_over(server: JobServer, job: Submission, members: Mapping[str, Path], screen: Screen) -> None:
    if server.knows(job.identity):
        screen.say(f"{job.identity} was submitted before")
        return
    with tempfile.TemporaryDirectory(prefix="colorize-") as folder:
        package = cargo.pack(members, Path(folder))
        try:
            mine = server.submit(job.command, job.identity, package)
        except KeyboardInterrupt:
            screen.say(f"if {job.identity} was submitted, it goes on")
            screen.say(f"it is stopped by: {server.how_to_stop(job.identity)}")
            raise
    screen.say(f"{job.identity} is submitted" if mine else f"{job.identity} was submitted by another process meanwhile")


def _watch(server: JobServer, identity: str, screen: Screen, events: SimpleQueue[Event | Signal]) -> int:
    threading.Thread(target=follow, args=(server, identity, events.put), daemon=True).start()
    stopping = False
    while True:
        event = events.get()
        match event:
            case Printed(text):
                screen.show(text)
            case Noticed(line):
                screen.say(line)
            case Ended(status):
                return status
            case Lost(error):
                raise error
            case Signal():
                event.taken = True
                answer = LEAVE if stopping or event.is_final else screen.ask(identity)
                if answer == LEAVE:
                    screen.say(f"{identity} goes on; its log: {server.how_to_look(identity)}")
                    screen.say(f"it is stopped by: {server.how_to_stop(identity)}")
                    return _INTERRUPTED
                if answer == WATCH:
                    screen.say(f"watching {identity} on")
                    continue
                server.stop(identity)
                screen.say(f"{identity} is being stopped")
                stopping = True
