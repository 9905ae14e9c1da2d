"""A job that runs on a cluster, as events: what it prints, once, and how it ends."""

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
_WORDS = 500  # characters of what the cluster says of a job that never began


class Printed(NamedTuple):
    """Some characters of the log, with their line ends."""

    text: str


class Noticed(NamedTuple):
    """A line on the job that is none of its log."""

    line: str


class Ended(NamedTuple):
    """The job has: its exit status."""

    status: int


class Lost(NamedTuple):
    """It cannot be followed any longer."""

    error: ColorizeError


Event = Printed | Noticed | Ended | Lost


def follow(server: JobServer, identity: str, put: Callable[[Event], None]) -> None:
    """Puts events to the end of the job. Whatever connections do, no character of the log is lost or doubled.

    ``ray job submit`` may give up before the end, and says 1 for any failure.
    """
    try:
        put(_followed(server, identity, put))
    except ColorizeError as error:
        put(Lost(error))


def _followed(server: JobServer, identity: str, put: Callable[[Event], None]) -> Ended:
    shown = 0
    while True:
        came = server.tail(identity, shown, lambda text: put(Printed(text)))
        shown += came
        details = server.details(identity)
        over = details.status.is_terminal()
        if over or not came:  # the end of the log, or all where no stream comes through
            log = server.log(identity)
            if log is None and over:
                put(Noticed(f"the end of the log of {identity} cannot be had"))
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
    """As of a shell: of a job that a signal ended, 128 and its number."""
    if details.status == "STOPPED":
        return _STOPPED
    if details.status == "SUCCEEDED":
        return 0
    code = int(details.driver_exit_code or 1)
    return code if code > 0 else 128 - code
