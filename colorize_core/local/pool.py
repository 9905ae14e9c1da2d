"""The parent's side: hands tasks to a child process, and goes on with another one when it dies."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from types import TracebackType
from typing import Any, Generic, TypeVar

from colorize_core.errors import ColorizeError
from colorize_core.local.memory import Guard

Task = TypeVar("Task")
Result = TypeVar("Result")
Work = Callable[[Task, int], Result]
"""Does one task. Its second argument says how many processes died over the task before."""

_AHEAD = 1  # tasks that wait in the child, so that no thread waits for the parent
_MOST_DEATHS = 1000  # over one task: each photograph in it may take several
_START_DEATHS = 3  # in a row, of children that did nothing: the installation is broken, not a photograph


def cpus() -> int:
    """Returns the number of CPUs that this process may use: those it is bound to, within its container's quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError), open("/sys/fs/cgroup/cpu.max") as file:
        quota, period = file.read().split()
        if quota != "max":
            bound = min(bound, math.ceil(int(quota) / int(period)))
    return max(1, bound)


@dataclass
class _Pending(Generic[Task]):
    task: Task
    deaths: int = 0


class Pool:
    """A child process with ``threads`` threads. Use it as a context manager: leaving it ends the child."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or cpus()
        self._child: _Child | None = None

    def __enter__(self) -> Pool:
        self._child = _Child(self.threads)  # it starts while the caller goes on
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def run(self, tasks: Iterable[Task], make: Callable[[int], Work[Task, Result]]) -> Generator[Result, None, None]:
        """Does tasks in the child, and yields their results in the order in which they are done.

        When the child dies, the tasks that were in it are done again, one at a time: what dies then is known to have
        died over that task alone.

        Args:
            tasks: taken one by one, as the child gets to them.
            make: called in the child, once, with the number of threads; gives what does a task. It is pickled, so a
                function of a module or a partial of one.

        Raises:
            ColorizeError: the child cannot be started, or a task kills it again and again.
            Exception: what a task raised; the others are given up.
        """
        waiting = iter(tasks)
        held: dict[int, _Pending[Task]] = {}
        again: list[_Pending[Task]] = []
        number = idle_deaths = 0
        done = False
        try:
            while True:
                child = self._child or self._start()
                child.prepare(make)
                alone = bool(again) or any(each.deaths for each in held.values())
                while len(held) < (1 if alone else self.threads + _AHEAD):
                    pending = again.pop(0) if again else next((_Pending(task) for task in waiting), None)
                    if pending is None:
                        break
                    number += 1
                    held[number] = pending
                    child.send(number, pending)
                if not held:
                    done = True
                    return
                answer = child.receive()
                if answer is not None:
                    which, result, error = answer
                    del held[which]
                    idle_deaths = 0
                    if error is not None:
                        raise error
                    yield result
                    continue
                idle_deaths += not child.began
                why = self._end()
                if idle_deaths >= _START_DEATHS:
                    raise ColorizeError(f"the process that does the work cannot start{why}")
                again = [_Pending(each.task, each.deaths + 1) for each in held.values()] + again
                held.clear()
                if any(each.deaths > _MOST_DEATHS for each in again):
                    raise ColorizeError(f"{_MOST_DEATHS} processes died over one task{why}")
        finally:
            if not done:
                self._end()

    def _start(self) -> _Child:
        self._child = _Child(self.threads)
        return self._child

    def _end(self) -> str:
        child, self._child = self._child, None
        return child.end() if child else ""


class _Child:
    """A running child process."""

    def __init__(self, threads: int) -> None:
        self._link, other = Pipe()
        self._noise = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end
        code = f"import sys; sys.path[:] = {sys.path!r}; from colorize_core.local.worker import main; main()"
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(  # noqa: S603 - this very Python, with our own code
            [sys.executable, "-c", code, str(other.fileno()), str(threads)],
            stdin=subprocess.DEVNULL,
            stdout=self._noise,
            stderr=self._noise,
            pass_fds=[other.fileno()],
            env=environment,
        )
        other.close()
        self._guard = Guard(self._process)
        self._prepared: Any = None
        self.began = False

    def prepare(self, make: Callable[..., Any]) -> None:
        """Tells the child what does the next tasks, unless it knows."""
        if self._prepared is not make:
            self._prepared = make
            self._tell(("make", make))

    def send(self, number: int, pending: _Pending[Any]) -> None:
        """Hands a task over."""
        self._tell(("task", number, pending.task, pending.deaths))

    def _tell(self, message: tuple[Any, ...]) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it died: receive will say so
            self._link.send(message)

    def receive(self) -> tuple[int, Any, BaseException | None] | None:
        """Waits for the next result: the task's number, and its result or error. None if the child has died."""
        try:
            while True:
                answer: tuple[int, Any, BaseException | None] = self._link.recv()
                self.began = True
                if answer[0]:
                    return answer
        except (EOFError, ConnectionResetError):
            return None

    def end(self) -> str:
        """Ends the child. Returns the last line that it printed, if it ended by itself, as part of a message."""
        self._guard.stop()
        died = self._process.poll()
        self._process.kill()
        self._process.wait()
        self._link.close()
        with self._noise as noise:
            noise.seek(0)
            lines = noise.read()[-4000:].decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {said}" if died is not None and said else ""
