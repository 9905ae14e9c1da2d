"""Follows a job on a cluster and reports events: what the job prints, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from colorize_core.errors import ColorizeError
from colorize_core.submission.server import JobServer

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

_STOPPED = 130
_SECONDS_BETWEEN_TRIES = 2.0
_WORDS = 500  # characters: the longest message of the cluster that is shown


class Printed(NamedTuple):
    """A piece of the log, line ends included."""

    text: str


class Noticed(NamedTuple):
    """A message about the job that is not part of its log."""

    line: str


class Ended(NamedTuple):
    """The end of the job, with its exit status."""

    status: int


class Lost(NamedTuple):
    """The end of the watching: the job cannot be followed any longer."""

    error: ColorizeError


Event = Printed | Noticed | Ended | Lost


def follow(server: JobServer, identity: str, put: Callable[[Event], None]) -> None:
    """Calls ``put`` with each event until the job ends. A lost connection neither drops nor repeats a part of the log.

    Ray's own ``ray job submit`` may stop before the job ends, and exits with status 1 for any failure.
    """
    try:
        put(_followed(server, identity, put))
    except ColorizeError as error:
        put(Lost(error))


def _followed(server: JobServer, identity: str, put: Callable[[Event], None]) -> Ended:
    shown = 0
    while True:
        new = server.tail(identity, shown, lambda text: put(Printed(text)))
        shown += new
        details = server.details(identity)
        over = details.status.is_terminal()
        if over or not new:  # the rest of the log, or all of it if a proxy blocks the stream
            log = server.log(identity)
            if log is None and over:
                put(Noticed(f"the end of the log of {identity} cannot be read"))
            elif log and log[shown:]:
                put(Printed(log[shown:]))
                shown = len(log)
        if over:
            break
        time.sleep(_SECONDS_BETWEEN_TRIES)
    if details.status == "FAILED" and details.driver_exit_code is None:
        put(Noticed(f"{identity} failed: {' '.join(str(details.message).split())[:_WORDS]}"))
    return Ended(_status(details))


def _status(details: JobDetails) -> int:
    """Converts a job's result to a shell exit status. A job that signal N ended gives 128 + N."""
    if details.status == "STOPPED":
        return _STOPPED
    if details.status == "SUCCEEDED":
        return 0
    code = int(details.driver_exit_code or 1)
    return code if code > 0 else 128 - code
