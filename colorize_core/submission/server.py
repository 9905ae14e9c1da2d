"""The job server of a cluster, Ray's dashboard: asked with patience, its errors told in one line."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shlex
import socket
import time
from collections.abc import Callable
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from colorize_core import storage
from colorize_core.errors import ColorizeError, UserError, one_line
from colorize_core.runtime import ray_internals

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

_T = TypeVar("_T")
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0  # for one answer, and for the next line of a log before its connection is taken for lost
_SECONDS_BETWEEN_QUESTIONS = 2.0
_PATIENCE_AT_FIRST = timedelta(seconds=10)
_PATIENCE = timedelta(minutes=10)  # with a head node that does not answer: it may be restarted under a long job
_ABSENT = 404  # HTTP status
_FAULT = 500  # likewise: of a refusal, too, and then with a traceback
_BUSY = frozenset({502, 503, 504})  # of proxies, and of a dashboard that starts
_HOW_TO_GET_IN = "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or ~/.ray/auth_token to the cluster's token"


class JobServer:
    """The jobs of one cluster.

    Args:
        address: of the dashboard.
        say: called with a line where the cluster is not as it should be, but may do; by any thread.

    Raises:
        UserError: that is no address.
        ColorizeError: nothing answers there, or it wants another token.
    """

    def __init__(self, address: str, say: Callable[[str], None]) -> None:
        self._address = _checked(address)
        self._say = say
        os.environ["RAY_API_SERVER_ADDRESS"] = self._address  # this, else RAY_ADDRESS, overrules what Ray is given
        import ray
        from ray.job_submission import JobSubmissionClient

        for handler in logging.getLogger("ray").handlers:
            handler.setLevel(logging.CRITICAL)  # its errors reach us as exceptions
        self._client = self._asked(lambda: JobSubmissionClient(self._address), patience=_PATIENCE_AT_FIRST)
        ray_internals.limit_answer_time(self._client, _ANSWER_SECONDS)
        theirs = ray_internals.cluster_ray_version(self._client)
        if theirs.split(".")[:2] != ray.__version__.split(".")[:2]:
            say(f"the cluster at {address} has Ray {theirs}, and {ray.__version__} is here: make them equal")

    def knows(self, identity: str) -> bool:
        """Whether a job was submitted under this name."""

        def look() -> bool:
            try:
                self._client.get_job_info(identity)
            except RuntimeError as error:
                if _http_status(error) != _ABSENT:
                    raise
                return False
            return True

        return self._asked(look)

    def submit(self, command: str, identity: str, package: Path | None) -> bool:
        """Sends a zip file and starts a job in the folder that it becomes; False where another one took the name.

        Raises:
            ColorizeError: the cluster refuses the job.
        """
        environment = {"working_dir": str(package)} if package else {}
        tries = 0

        def hand_over() -> bool:
            nonlocal tries
            tries += 1
            try:
                self._client.submit_job(entrypoint=command, submission_id=identity, runtime_env=environment)
            except Exception as error:
                if "already exists" not in str(error):
                    raise
                return tries > 1  # the answer to an earlier try was lost
            return True

        return self._asked(hand_over, passing=_BUSY)

    def stop(self, identity: str) -> None:
        """Asks the cluster to end a job: SIGTERM, and SIGKILL after a while that the head sets."""
        self._asked(lambda: self._client.stop_job(identity))

    def details(self, identity: str) -> JobDetails:
        """The state of a job, with patience. Raises ColorizeError, also where the cluster has forgotten the job."""
        return self._asked(lambda: self._client.get_job_info(identity))

    def log(self, identity: str) -> str | None:
        """All that a job printed until now; None where that cannot be had."""
        try:
            return str(self._client.get_job_logs(identity))
        except Exception:  # as above; what counts is how the job ends
            return None

    def tail(self, identity: str, skip: int, show: Callable[[str], None]) -> int:
        """Shows what a job prints, without so many characters, until it ends, or the connection; gives how many."""
        return asyncio.run(self._tail(identity, skip, show))

    async def _tail(self, identity: str, skip: int, show: Callable[[str], None]) -> int:
        shown = 0
        try:
            async with aclosing(self._client.tail_job_logs(identity)) as log:
                while True:
                    text = await asyncio.wait_for(anext(log), _ANSWER_SECONDS)
                    new = text[skip:]
                    skip = max(0, skip - len(text))
                    if new:
                        show(new)
                        shown += len(new)
        except Exception:  # its end, silence, a lost connection, a proxy that knows no web sockets
            return shown

    def how_to_look(self, identity: str) -> str:
        """The command that shows the log."""
        return shlex.join(["ray", "job", "logs", "--address", self._address, "--follow", identity])

    def how_to_stop(self, identity: str) -> str:
        """The command that stops the job."""
        return shlex.join(["ray", "job", "stop", "--address", self._address, identity])

    def _asked(
        self, question: Callable[[], _T], *, patience: timedelta = _PATIENCE, passing: frozenset[int] = _BUSY | {_FAULT}
    ) -> _T:
        """The answer. A lost connection, and an HTTP status that may pass, are met with patience."""
        deadline = time.monotonic() + patience.total_seconds()
        told = False
        while True:
            try:
                return question()
            except Exception as error:
                may_pass = isinstance(error, OSError) or _http_status(error) in passing  # HTTP libraries raise OSError
                if not may_pass or time.monotonic() > deadline:
                    raise self._explained(error, "does not answer" if may_pass else "refuses the job") from error
                if not told:
                    self._say(f"the cluster at {self._address} does not answer: trying on")
                told = True
                time.sleep(_SECONDS_BETWEEN_QUESTIONS)

    def _explained(self, error: Exception, failure: str) -> ColorizeError:
        from ray.exceptions import AuthenticationError

        if isinstance(error, AuthenticationError):
            what = "another token than yours" if "invalid" in error.message.lower() else "a token, and got none"
            return ColorizeError(f"the cluster at {self._address} wants {what}: {_HOW_TO_GET_IN}")
        if _http_status(error) == _ABSENT:
            failure = "does not know the job; where its head was started anew, submit it again"
        return ColorizeError(f"the cluster at {self._address} {failure}: {_last_words(error)}")


def _http_status(error: Exception) -> int | None:
    """Ray has it in words alone."""
    found = re.search(r"status code (\d{3})", str(error))
    return int(found[1]) if found else None


def _last_words(error: Exception) -> str:
    """On one line; of a traceback that a server sent, its end."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if "Traceback (most" in str(error) else one_line(error)


def _checked(address: str) -> str:
    """The address with its scheme; nothing that Ray itself would try for minutes."""
    storage.refuse_secrets(address)
    url = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", {"http": 80, "https": 443}[parts.scheme]
        port = parts.port or port
    except (KeyError, ValueError) as error:
        raise UserError(f"{address} is no address of a dashboard: give one as http://127.0.0.1:8265") from error
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise ColorizeError(
            f"the cluster at {address} cannot be reached ({one_line(error)}): start it, or give --address"
        ) from error
    return url.rstrip("/")
