"""The Ray cluster that a job runs on: the one it was submitted to, else this machine."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorize_core import storage
from colorize_core.errors import ColorizeError, OutputError, UserError, one_line

if TYPE_CHECKING:
    import ray.data

_CONNECT_SECONDS = 10.0
_TRIES = 3


@dataclass(frozen=True)
class Resources:
    """What the cluster had when the job began."""

    cpus: float
    gpus: float


@contextmanager
def connected() -> Iterator[Resources]:
    """Connects to the cluster of ``RAY_ADDRESS`` (set inside ``ray job submit``), else starts Ray on this machine.

    Ray that is already running in this process is used and left running.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Its C++ part prints matters of its own inside (ray#53727) on the screen of the user, as errors.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray

    mine = not ray.is_initialized()
    if mine:
        address = os.environ.get("RAY_ADDRESS")
        options = {} if address else {"include_dashboard": False}
        _check_listening(address or "")
        try:
            with native_stderr_silenced(), own_signals():
                # A stale "current cluster" file would make anything but "local" fail where no cluster was asked for.
                ray.init(address=address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = f"connect to the Ray cluster at RAY_ADDRESS={address}" if address else "start Ray on this machine"
            raise ColorizeError(f"cannot {where}: {one_line(error)}") from error
    _silence_ray_data()
    try:
        found = ray.cluster_resources()
        yield Resources(cpus=found.get("CPU", 0.0), gpus=found.get("GPU", 0.0))
    finally:
        if mine:
            ray.shutdown()


def _check_listening(address: str) -> None:
    """Refuses an address where nothing listens at once: Ray itself would try for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise ColorizeError(
            f"nothing answers at RAY_ADDRESS={address} ({one_line(error)}): start the cluster, or unset RAY_ADDRESS"
        ) from error


def nodes() -> list[dict[str, float]]:
    """Resources by name of each machine that is there now."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def check_tries(what: str) -> None:
    """Ends a task that kills each process which tries it: Ray Data itself would go on for ever.

    Raises:
        ColorizeError: the task was begun three times before.
    """
    from ray._private.worker import global_worker  # no public name says how often a task was tried

    if global_worker.core_worker.get_current_task_attempt_number() >= _TRIES:
        raise ColorizeError(f"{_TRIES} processes died over {what}: for want of memory, or by a fault of a decoder")


def give_all_cpus(dataset: ray.data.Dataset) -> None:
    """For a chain of a single stage. Ray Data keeps half of the resources back for stages that follow.

    Measured on 2 cores with tasks of 0.1 s: half of the time was lost.
    """
    dataset.context.op_resource_reservation_enabled = False


def root_cause(error: BaseException) -> BaseException:
    """What failed in a task or worker, out of the wrappers that Ray puts around it."""
    failures = getattr(error, "worker_failures", None)
    cause = next(iter(failures.values())) if failures else getattr(error, "cause", None) or error.__cause__
    return root_cause(cause) if isinstance(cause, BaseException) else error


@contextmanager
def own_signals() -> Iterator[None]:
    """Keeps the process' own answers to SIGTERM and SIGINT, which Ray replaces by an exit on the spot."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except SystemExit as ended:  # Ray's answer, meanwhile
        raise KeyboardInterrupt from ended
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns what Ray raises into one line: a UserError of ours as it is, all else a ColorizeError of ``what``."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ColorizeError) and not hasattr(
            error, "cause"
        ):  # Ray's copies of ours are traced, and have
            raise
        cause = root_cause(error)
        words = str(cause).partition("\nFailed to apply UDF")[0]  # which Ray Data appends, with advice on its settings
        line = " ".join(words.split()) or type(cause).__name__
        if isinstance(cause, UserError):
            raise type(cause)(line) from error
        raise ColorizeError(line if isinstance(cause, ColorizeError) else f"{what}: {line}") from error


def check_lasting(path: str) -> None:
    """Refuses a relative OUTPUT in a submitted job: it would lie in a copy of the caller's folder that Ray removes.

    Raises:
        OutputError: so it is.
    """
    if "RAY_JOB_CONFIG_JSON" in os.environ and storage.is_local(path) and not os.path.isabs(os.path.expanduser(path)):
        raise OutputError(
            f"OUTPUT {path} is relative, and a submitted job runs in a copy of your folder that is removed with it: "
            "give an absolute path or a URL"
        )


@contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Keeps what compiled code prints while it starts off the screen; Python's exceptions pass."""
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _silence_ray_data() -> None:
    """Ray Data's own bars and plans off the screen: the jobs show their progress themselves."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray.data", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors reach us as exceptions
