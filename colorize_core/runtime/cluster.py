"""The Ray cluster that a job runs on: the one it was submitted to, else this machine."""

from __future__ import annotations

import gc
import logging
import os
import re
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorize_core import errors, storage
from colorize_core.errors import ColorizeError, OutputError, UserError, one_line, printable
from colorize_core.runtime import ray_internals
from colorize_core.runtime.silence import native_stderr_silenced

if TYPE_CHECKING:
    import ray.data

_CONNECT_SECONDS = 10.0
_TRIES = 3


@dataclass(frozen=True)
class Resources:
    """What the cluster has.

    Attributes:
        cpus: of all machines.
        gpus: likewise.
        free_gpus: of these, those that no other job holds.
        machines: the head among them.
    """

    cpus: float
    gpus: float
    free_gpus: float
    machines: int


@contextmanager
def connected() -> Iterator[Resources]:
    """Connects to the cluster of ``RAY_ADDRESS`` (set inside ``ray job submit``), else starts Ray on this machine.

    Ray that is already running in this process is used and left running.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Its C++ part prints matters of its own inside (ray#53727) on the screen of the user, as errors.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        # Ray's switch for systems with a firewall of their own: it listens on loopback, on Linux else everywhere.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    import ray

    mine = not ray.is_initialized()
    if mine:
        options = {} if address else {"include_dashboard": False}
        check_arguments()
        _check_listening(address or "")
        try:
            with native_stderr_silenced(), _signals_held():
                # A stale "current cluster" file would make anything but "local" fail where no cluster was asked for.
                ray.init(address=address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = f"connect to the Ray cluster at RAY_ADDRESS={address}" if address else "start Ray on this machine"
            raise ColorizeError(f"cannot {where}: {one_line(error)}") from error
    _silence_libraries()
    try:
        yield resources()
    except BaseException as error:
        if mine:
            _let_go(error)
        raise
    finally:
        if mine:
            ray.shutdown()


def is_named() -> bool:
    """Returns True if RAY_ADDRESS names a cluster, or this process is connected to one."""
    ray = sys.modules.get("ray")
    return bool(os.environ.get("RAY_ADDRESS")) or (ray is not None and bool(ray.is_initialized()))


def resources() -> Resources:
    """Of the cluster that this process is connected to, at this moment."""
    import ray

    found, free = ray.cluster_resources(), ray.available_resources()
    return Resources(found.get("CPU", 0.0), found.get("GPU", 0.0), free.get("GPU", 0.0), len(nodes()))


def _let_go(error: BaseException) -> None:
    """Clears the frames that an error came through: an iterator of Ray Data in them would end itself after Ray.

    That would start Ray anew, and print a traceback.
    """
    raised: BaseException | None = error
    while raised:
        traceback.clear_frames(raised.__traceback__)
        raised = raised.__context__
    gc.collect()


def check_arguments() -> None:
    """Refuses a command line that Ray, which notes it, would end over.

    Raises:
        UserError: something in it is no UTF-8.
    """
    for each in sys.argv:
        try:
            each.encode()
        except UnicodeEncodeError as error:
            raise UserError(
                f"Ray takes only UTF-8 on the command line, unlike {printable(each)}: give a symbolic link to it "
                "(ln -s), or the files in a list (.txt)"
            ) from error


def _check_listening(address: str) -> None:
    """Refuses an address where nothing listens at once: Ray itself would try for minutes."""
    storage.refuse_secrets(address)
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


def attempt() -> int:
    """Returns how many processes that ran the current task died before; 0 outside of tasks."""
    return ray_internals.task_attempt_number()


def check_tries(what: str, deaths: int | None = None) -> None:
    """Ends a task that kills each process which tries it: runners themselves would go on for ever.

    Args:
        what: the task, in words.
        deaths: how many processes died over it before; None to ask Ray.

    Raises:
        ColorizeError: the task was begun three times before.
    """
    if (attempt() if deaths is None else deaths) >= _TRIES:
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
def _signals_held() -> Iterator[None]:
    """Holds SIGTERM and SIGINT back: they become a KeyboardInterrupt at the end, a second one becomes one at once.

    Ray, while it starts, calls Python from compiled code that loses what is raised there: one signal in twenty.
    """
    held = threading.Event()

    def hold(number: int, frame: object) -> None:
        if held.is_set():
            raise KeyboardInterrupt
        held.set()

    try:
        with own_signals():
            if threading.current_thread() is threading.main_thread():
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, hold)
            yield
    finally:
        if held.is_set():
            raise KeyboardInterrupt


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
        kind, words = _in_traceback(error) or (type(cause), str(cause))
        line = " ".join(words.split()) or kind.__name__
        if issubclass(kind, UserError):
            raise kind(line) from error
        raise ColorizeError(line if issubclass(kind, ColorizeError) else f"{what}: {line}") from error


def _in_traceback(error: BaseException) -> tuple[type[BaseException], str] | None:
    """What a function that Ray Data called raised: of that only the printed traceback comes back."""
    before, _, after = str(error).rpartition("UserCodeException: ")
    found = re.findall(r"^([\w.]+): (.+)$", before, re.MULTILINE) if after else []
    if not found:
        return None
    name, words = found[-1]
    return getattr(errors, name.rpartition(".")[2], Exception), words


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


def _silence_libraries() -> None:
    """What Ray's libraries show of themselves off the screen: the jobs show their progress themselves."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # Of a limit that is higher than the number of blocks, which nobody has to know.
    warnings.filterwarnings("ignore", "The maximum number of concurrent tasks", UserWarning)
    for name in ("ray.data", "ray.train", "ray.tune"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors reach us as exceptions
    ray_internals.hide_worker_messages()
