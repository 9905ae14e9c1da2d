"""Talks to the job server of a cluster, Ray's dashboard: retries while it is unreachable, raises one-line errors."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shlex
import socket
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from colorize_core import storage
from colorize_core.errors import ColorizeError, UserError, one_line
from colorize_core.runtime import ray_internals

if TYPE_CHECKING:
    from ray.job_submission import JobDetails
    from tenacity import RetryCallState

_T = TypeVar("_T")
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0  # wait for an answer, or for the next line of a log, before the connection counts as lost
_SECONDS_BETWEEN_TRIES = 2.0
_FIRST_RETRY_SECONDS = 10.0  # how long to retry when connecting
_RETRY_SECONDS = 600.0  # how long to retry later: the head node may restart during a long job
_ABSENT = 404  # HTTP status
_FAULT = 500  # HTTP status, which Ray also sends with a traceback when it refuses a job
_BUSY = frozenset({502, 503, 504})  # HTTP statuses of proxies, and of a dashboard that is starting
_SET_TOKEN = "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or ~/.ray/auth_token to the cluster's token"  # noqa: S105


class JobServer:
    """A client for the jobs of one cluster.

    Args:
        address: URL of the cluster's dashboard.
        say: called with each warning, by any thread: the cluster does not answer for now, or has another Ray version.

    Raises:
        UserError: the address is invalid.
        ColorizeError: nothing answers at the address, or the cluster needs another token.
    """

    def __init__(self, address: str, say: Callable[[str], None]) -> None:
        self._address = _checked(address)
        self._say = say
        os.environ["RAY_API_SERVER_ADDRESS"] = self._address  # Ray prefers it, else RAY_ADDRESS, to arguments
        import ray
        from ray.job_submission import JobSubmissionClient

        for handler in logging.getLogger("ray").handlers:
            handler.setLevel(logging.CRITICAL)  # errors also arrive as exceptions
        self._client = self._ask(lambda: JobSubmissionClient(self._address), retry_seconds=_FIRST_RETRY_SECONDS)
        ray_internals.limit_answer_time(self._client, _ANSWER_SECONDS)
        version = ray_internals.cluster_ray_version(self._client)
        if version.split(".")[:2] != ray.__version__.split(".")[:2]:
            say(f"the cluster at {address} has Ray {version}, this machine {ray.__version__}: install the same version")

    def knows(self, identity: str) -> bool:
        """Returns True if the cluster has a job of this name."""

        def find() -> bool:
            try:
                self._client.get_job_info(identity)
            except RuntimeError as error:
                if _http_status(error) != _ABSENT:
                    raise
                return False
            return True

        return self._ask(find)

    def submit(self, command: str, identity: str, package: Path | None) -> bool:
        """Sends a zip file and starts a job in the folder with its content.

        Args:
            command: shell command to run.
            identity: name of the job.
            package: the zip file; None to send nothing.

        Returns:
            False if another process has submitted a job of this name.

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
                return tries > 1  # if so, an earlier try succeeded and its answer was lost
            return True

        return self._ask(hand_over, transient=_BUSY)

    def stop(self, identity: str) -> None:
        """Asks the cluster to stop a job: by SIGTERM, then by SIGKILL after a delay that the head node sets."""
        self._ask(lambda: self._client.stop_job(identity))

    def details(self, identity: str) -> JobDetails:
        """Returns the state of a job. Raises ColorizeError, also if the cluster does not know the job any more."""
        return self._ask(lambda: self._client.get_job_info(identity))

    def log(self, identity: str) -> str | None:
        """Returns all that a job has printed so far; None if the log cannot be read."""
        try:
            return str(self._client.get_job_logs(identity))
        except Exception:  # many kinds, and none matters: the job's state says how it ends
            return None

    def tail(self, identity: str, skip: int, show: Callable[[str], None]) -> int:
        """Shows what a job prints until the job or the connection ends.

        Args:
            identity: name of the job.
            skip: characters at the start of the log that are not shown.
            show: called with each piece of the log.

        Returns:
            How many characters were shown.
        """
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
        except Exception:  # end of the log, silence, lost connection, or a proxy without web sockets
            return shown

    def log_command(self, identity: str) -> str:
        """Returns the shell command that shows a job's log."""
        return shlex.join(["ray", "job", "logs", "--address", self._address, "--follow", identity])

    def stop_command(self, identity: str) -> str:
        """Returns the shell command that stops a job."""
        return shlex.join(["ray", "job", "stop", "--address", self._address, identity])

    def _ask(
        self,
        question: Callable[[], _T],
        *,
        retry_seconds: float = _RETRY_SECONDS,
        transient: frozenset[int] = _BUSY | {_FAULT},
    ) -> _T:
        """Returns the cluster's answer to a call; repeats it after a lost connection or a ``transient`` HTTP status."""

        def is_transient(error: BaseException) -> bool:
            return isinstance(error, OSError) or _http_status(error) in transient  # HTTP libraries raise OSError

        def tell(state: RetryCallState) -> None:
            if state.attempt_number == 1:
                self._say(f"the cluster at {self._address} does not answer: trying again")

        retrying = Retrying(
            retry=retry_if_exception(is_transient),
            wait=wait_fixed(_SECONDS_BETWEEN_TRIES),
            stop=stop_after_delay(retry_seconds),
            before_sleep=tell,
            reraise=True,
        )
        try:
            return retrying(question)
        except Exception as error:
            failure = "does not answer" if is_transient(error) else "refuses the job"
            raise self._explained(error, failure) from error

    def _explained(self, error: Exception, failure: str) -> ColorizeError:
        from ray.exceptions import AuthenticationError

        if isinstance(error, AuthenticationError):
            wanted = "another token than yours" if "invalid" in error.message.lower() else "a token, and got none"
            return ColorizeError(f"the cluster at {self._address} wants {wanted}: {_SET_TOKEN}")
        if _http_status(error) == _ABSENT:
            failure = "does not know the job; if its head node was restarted, submit the job again"
        return ColorizeError(f"the cluster at {self._address} {failure}: {_last_line(error)}")


def _http_status(error: BaseException) -> int | None:
    """Returns the HTTP status in the message of one of Ray's errors, which have no attribute for it."""
    found = re.search(r"status code (\d{3})", str(error))
    return int(found[1]) if found else None


def _last_line(error: Exception) -> str:
    """Returns the message on one line; the last line of a message that holds a server's traceback."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if "Traceback (most" in str(error) else one_line(error)


def _checked(address: str) -> str:
    """Returns the dashboard's URL with a scheme, after one attempt to connect: Ray itself would try for minutes."""
    storage.refuse_secrets(address)
    url = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", {"http": 80, "https": 443}[parts.scheme]
        port = parts.port or port
    except (KeyError, ValueError) as error:
        raise UserError(f"{address} is not the URL of a dashboard: give one like http://127.0.0.1:8265") from error
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise ColorizeError(
            f"the cluster at {address} cannot be reached ({one_line(error)}): start it, or give --address"
        ) from error
    return url.rstrip("/")
