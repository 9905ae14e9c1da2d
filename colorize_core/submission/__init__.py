"""Submits jobs to a Ray cluster, shows their logs, and stops them or leaves them running when the user interrupts.

``cargo`` packs the files to send, ``server`` talks to the cluster's dashboard, ``names`` makes job names, ``following``
turns the log and the end of a job into events, ``signals`` does so with Ctrl-C, and ``dialog`` talks to the user.
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
from colorize_core.submission.dialog import LEAVE, WATCH, Dialog
from colorize_core.submission.following import Ended, Event, Lost, Noticed, Printed, follow
from colorize_core.submission.server import JobServer
from colorize_core.submission.signals import Signal, signals_to

_INTERRUPTED = 130


@dataclass(frozen=True)
class Submission:
    """A job to run on a cluster.

    Attributes:
        identity: name of the job on the cluster, made by ``names``.
        command: shell command that the cluster runs.
        packages: folders of Python code to send. The cluster puts them into the job's working directory.
        files: relative paths of files and of bundle folders to send. Their paths below that directory stay the same.
    """

    identity: str
    command: str
    packages: Sequence[Path] = ()
    files: Sequence[str] = ()


def shell_command(module: str, arguments: Sequence[str]) -> str:
    """Returns the shell command that runs a Python module with arguments, which are quoted for the shell."""
    return shlex.join(["python", "-m", module, *arguments])


def submit(job: Submission, address: str, dialog: Dialog, *, wait: bool = True) -> int:
    """Submits a job, shows its log until it ends, and returns its exit status.

    A job with a name that was submitted before is only watched, not submitted again. If several processes submit one
    name at the same time, Ray accepts one of them, and all watch that job.

    Args:
        job: the job to run.
        address: URL of the cluster's dashboard, such as ``http://127.0.0.1:8265``.
        dialog: where to show the log, and how to ask the user what to do on Ctrl-C.
        wait: False to return as soon as the job is submitted.

    Returns:
        The exit status of the job; 130 if it was stopped, or if the user or SIGTERM ended the watching and it goes on;
        0 if ``wait`` is False.

    Raises:
        UserError: a file to send is missing, the files are too large, or the address is invalid.
        ColorizeError: the cluster cannot be reached, refuses the job, or did not answer for ten minutes.
    """
    members = cargo.choose(job.packages, job.files)
    server = JobServer(address, dialog.say)
    events: SimpleQueue[Event | Signal] = SimpleQueue()
    with signals_to(events.put):
        _hand_over(server, job, members, dialog)
        return _watch(server, job.identity, dialog, events) if wait else 0


def _hand_over(server: JobServer, job: Submission, members: Mapping[str, Path], dialog: Dialog) -> None:
    if server.knows(job.identity):
        dialog.say(f"{job.identity} was submitted before")
        return
    with tempfile.TemporaryDirectory(prefix="colorize-") as folder:
        package = cargo.pack(members, Path(folder))
        try:
            mine = server.submit(job.command, job.identity, package)
        except KeyboardInterrupt:
            dialog.say(f"{job.identity} may have been submitted; if so, it keeps running")
            dialog.say(f"to stop it, run: {server.stop_command(job.identity)}")
            raise
    dialog.say(f"{job.identity} is submitted" if mine else f"another process has just submitted {job.identity}")


def _watch(server: JobServer, identity: str, dialog: Dialog, events: SimpleQueue[Event | Signal]) -> int:
    threading.Thread(target=follow, args=(server, identity, events.put), daemon=True).start()
    stopping = False
    while True:
        event = events.get()
        match event:
            case Printed(text):
                dialog.show(text)
            case Noticed(line):
                dialog.say(line)
            case Ended(status):
                return status
            case Lost(error):
                raise error
            case Signal():
                event.taken = True
                answer = LEAVE if stopping or event.is_final else dialog.ask(identity)
                if answer == LEAVE:
                    dialog.say(f"{identity} goes on; to see its log, run: {server.log_command(identity)}")
                    dialog.say(f"to stop it, run: {server.stop_command(identity)}")
                    return _INTERRUPTED
                if answer == WATCH:
                    dialog.say(f"watching {identity} again")
                    continue
                server.stop(identity)
                dialog.say(f"{identity} is being stopped")
                stopping = True
