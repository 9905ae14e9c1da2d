"""Connects a job to the Ray cluster that RAY_ADDRESS names, else to a new one on this machine; handles Ray's errors."""

from __future__ import annotations

import gc
import logging
import os
import re
import socket
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorize_core import errors, storage
from colorize_core.errors import ColorizeError, OutputError, UserError, one_line, printable
from colorize_core.runtime import ray_internals, signals
from colorize_core.runtime.silence import native_stderr_silenced

if TYPE_CHECKING:
    import ray.data

_CONNECT_SECONDS = 10.0
_TRIES = 3


@dataclass(frozen=True)
class Resources:
    """CPUs, GPUs and machines of the connected Ray cluster.

    Attributes:
        cpus: number of CPUs of all machines.
        gpus: number of GPUs of all machines.
        free_gpus: number of GPUs that no other job has reserved.
        machines: number of machines, including the head node.
    """

    cpus: float
    gpus: float
    free_gpus: float
    machines: int


@contextmanager
def connected() -> Iterator[Resources]:
    """Connects to the cluster that ``RAY_ADDRESS`` names (Ray sets it for submitted jobs), else starts Ray here.

    If this process is connected already, that connection is used and stays open.

    Yields:
        The resources of the cluster.

    Raises:
        UserError: the command line holds text that is not UTF-8.
        ColorizeError: the cluster cannot be reached, or Ray cannot be started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Ray's C++ part prints internal matters as errors on the user's screen (ray#53727).
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        # 0 makes Ray listen on loopback only. On Linux it would listen on all interfaces.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    owned = False
    try:
        with signals.held():
            owned = _connect(address or "")
            _silence_libraries()
        yield resources()
    except BaseException as error:
        if owned:
            _clear_frames(error)
        raise
    finally:
        if owned:
            import ray

            ray.shutdown()


def _connect(address: str) -> bool:
    """Connects to Ray, and returns True; returns False if this process is connected already. Raises as ``connected``.

    Args:
        address: of a cluster; '' to start Ray on this machine.
    """
    import ray

    if ray.is_initialized():
        return False
    options = {} if address else {"include_dashboard": False}
    check_arguments()
    _check_listening(address)
    try:
        with native_stderr_silenced():
            # Without "local", Ray would try to connect to the last cluster, which may be gone.
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except Exception as error:  # that a node did not start in time, Ray tells with an Exception itself
        where = f"connect to the Ray cluster at RAY_ADDRESS={address}" if address else "start Ray on this machine"
        raise ColorizeError(f"cannot {where}: {one_line(error)}") from error
    return True


def is_named() -> bool:
    """Returns True if RAY_ADDRESS names a cluster, or this process is connected to one."""
    ray = sys.modules.get("ray")
    return bool(os.environ.get("RAY_ADDRESS")) or (ray is not None and bool(ray.is_initialized()))


def resources() -> Resources:
    """Returns the current resources of the cluster that this process is connected to."""
    import ray

    total, free = ray.cluster_resources(), ray.available_resources()
    return Resources(total.get("CPU", 0.0), total.get("GPU", 0.0), free.get("GPU", 0.0), len(nodes()))


def _clear_frames(error: BaseException) -> None:
    """Deletes the variables in an error's frames while Ray still runs.

    An iterator of Ray Data among the variables would shut down after Ray: it would start Ray again and print a
    traceback.
    """
    raised: BaseException | None = error
    while raised:
        traceback.clear_frames(raised.__traceback__)
        raised = raised.__context__
    gc.collect()


def check_arguments() -> None:
    """Checks this process's command line, which Ray records and cannot store unless it is UTF-8.

    Raises:
        UserError: an argument is not UTF-8.
    """
    for each in sys.argv:
        try:
            each.encode()
        except UnicodeEncodeError as error:
            raise UserError(
                f"Ray takes only UTF-8 on the command line, and {printable(each)} is not: give a symbolic link to it "
                "(ln -s), or list the files in a .txt file"
            ) from error


def _check_listening(address: str) -> None:
    """Raises ColorizeError if nothing listens at an address. Ray itself would try for minutes."""
    storage.refuse_secrets(address)
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise ColorizeError(
            f"nothing answers at RAY_ADDRESS={address} ({one_line(error)}): start the cluster or unset RAY_ADDRESS"
        ) from error


def nodes() -> list[dict[str, float]]:
    """Returns the resources of each live machine: a map of resource name to amount."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def attempt() -> int:
    """Returns how many processes that ran the current task died before; 0 outside of tasks."""
    return ray_internals.task_attempt_number()


def check_tries(what: str, deaths: int | None = None) -> None:
    """Raises ColorizeError for a task that kills each process that runs it. The runners would retry it for ever.

    Args:
        what: the task, for the message.
        deaths: how many processes died over the task before; None to ask Ray.

    Raises:
        ColorizeError: three processes died over the task.
    """
    if (attempt() if deaths is None else deaths) >= _TRIES:
        raise ColorizeError(f"{_TRIES} processes died over {what}: out of memory, or a decoder crashed")


def give_all_cpus(dataset: ray.data.Dataset) -> None:
    """Lets a data set with a single stage use all CPUs: Ray Data reserves half of them for later stages.

    The reservation doubled the time of tasks of 0.1 s on 2 cores.
    """
    dataset.context.op_resource_reservation_enabled = False


def root_cause(error: BaseException) -> BaseException:
    """Returns the original error of a task or worker, without the errors that Ray wraps around it."""
    failures = getattr(error, "worker_failures", None)
    cause = next(iter(failures.values())) if failures else getattr(error, "cause", None) or error.__cause__
    return root_cause(cause) if isinstance(cause, BaseException) else error


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Converts errors from Ray: a UserError keeps its kind, any other error becomes a ColorizeError of one line.

    Args:
        what: what failed, put before the message of an error that is not a ColorizeError.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, ColorizeError) and not hasattr(error, "cause"):  # an error from Ray has a cause
            raise
        cause = root_cause(error)
        kind, message = _in_traceback(error) or (type(cause), str(cause))
        line = " ".join(message.split()) or kind.__name__
        if issubclass(kind, UserError):
            raise kind(line) from error
        raise ColorizeError(line if issubclass(kind, ColorizeError) else f"{what}: {line}") from error


def _in_traceback(error: BaseException) -> tuple[type[BaseException], str] | None:
    """Returns type and message of an error in a function that Ray Data called; None for another error.

    Ray Data returns only the printed traceback, in the message of its own error.
    """
    before, _, after = str(error).rpartition("UserCodeException: ")
    found = re.findall(r"^([\w.]+): (.+)$", before, re.MULTILINE) if after else []
    if not found:
        return None
    name, message = found[-1]
    return getattr(errors, name.rpartition(".")[2], Exception), message


def check_lasting(path: str, name: str = "OUTPUT") -> None:
    """Checks a path that a submitted job writes to, which runs in a temporary copy of the caller's folder.

    Raises:
        OutputError: the path is relative, so Ray would remove it with the copy.
    """
    if "RAY_JOB_CONFIG_JSON" in os.environ and storage.is_local(path) and not os.path.isabs(os.path.expanduser(path)):
        raise OutputError(
            f"{name} {path} is relative, and a submitted job runs in a temporary copy of your folder: give an absolute "
            "path or a URL"
        )


def _silence_libraries() -> None:
    """Hides progress bars, warnings and logs of Ray's libraries: the jobs show their own progress."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # Ray warns if a limit is higher than the number of blocks, which does not matter here.
    warnings.filterwarnings("ignore", "The maximum number of concurrent tasks", UserWarning)
    for name in ("ray.data", "ray.train", "ray.tune"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors also arrive as exceptions
    ray_internals.hide_worker_messages()
