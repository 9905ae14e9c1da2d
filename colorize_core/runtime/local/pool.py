"""The parent's side of the pool: sends tasks to child processes and replaces a child that dies."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Pipe, wait
from types import TracebackType
from typing import Any, Generic

from colorize_core.errors import ColorizeError
from colorize_core.runtime.local import memory
from colorize_core.runtime.local.messages import Answer, Failure, MakeMessage, Result, Started, Task, TaskMessage, Work

_AHEAD = 1  # tasks that wait in a child, so that its threads never wait for the parent
_MOST_DEATHS = 1000  # over one task: each of its photographs may cost several processes
_START_DEATHS = 3  # children in a row that died before their first answer: the installation is broken


@dataclass
class _Pending(Generic[Task]):
    task: Task
    deaths: int = 0


class Pool:
    """Child processes with threads. Use it as a context manager: leaving the block ends the children.

    Several processes are faster than as many threads of one process, which share Python's lock. Threads share large
    libraries and models, such as TensorFlow.

    Args:
        processes: number of processes at most. The first one starts at once, others when there are tasks for them.
        threads: threads per process.
        spare: fraction of the machine's memory that must stay free; None for ``memory.SPARE``.
    """

    def __init__(self, processes: int = 1, threads: int = 1, spare: float | None = None) -> None:
        self.processes, self.threads = processes, threads
        self._children: list[_Child[Any, Any]] = []  # each ``run`` may have tasks of another type
        self._guard = memory.MemoryGuard(
            lambda: [child.pid for child in self._children], memory.SPARE if spare is None else spare
        )

    def __enter__(self) -> Pool:
        self._guard.start()
        self._children.append(_Child(self.threads))  # starts while the caller goes on
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._guard.stop()
        self._end()

    def _end(self) -> None:
        while self._children:
            self._children.pop().end()

    def run(self, tasks: Iterable[Task], make: Callable[[int], Work[Task, Result]]) -> Generator[Result, None, None]:
        """Runs tasks in the children, and yields each result as soon as the task is done, in any order.

        When a child dies, its tasks run again, each alone in a child, so that a further death is due to that task.

        Args:
            tasks: the tasks, taken one by one as the children become free.
            make: called once in each child with the number of its threads; returns the function that does a task. It
                is pickled, so it must be a function of a module or a partial of one.

        Raises:
            ColorizeError: a child cannot be started, or a task killed 1000 processes.
            Exception: the error of a task; the other tasks are dropped.
        """
        waiting = _TaskQueue(tasks)
        idle_deaths = 0
        done = False
        try:
            while True:
                self._hand_out(waiting, make)
                busy = {child.link: child for child in self._children if child.held}
                if not busy:
                    done = True
                    return
                for link in wait(list(busy)):
                    child = busy[link]  # type: ignore[index]  # wait() returns items of ``busy``
                    answer = child.receive()
                    if answer is None:
                        idle_deaths += not child.began
                        self._children.remove(child)
                        waiting.put_back(child.held.values())
                        last_line = child.end()
                        if idle_deaths >= _START_DEATHS:
                            raise ColorizeError(f"the process that does the work cannot start{last_line}")
                        continue
                    if isinstance(answer, Started):
                        continue
                    del child.held[answer.number]
                    idle_deaths = 0
                    if isinstance(answer, Failure):
                        raise answer.error
                    yield answer.result
        finally:
            if not done:
                self._end()

    def _hand_out(self, waiting: _TaskQueue[Task], make: Callable[[int], Work[Task, Result]]) -> None:
        """Sends tasks until each child holds as many as it can; starts children for the rest."""
        while waiting.has_more():
            alone = waiting.first.deaths > 0
            room = [child for child in self._children if child.has_room(alone)]
            if not room and len(self._children) < self.processes:
                self._children.append(_Child(self.threads))
                continue
            if not room:
                return
            child = min(room, key=lambda each: len(each.held))
            child.prepare(make)
            child.send(waiting.take())


class _TaskQueue(Generic[Task]):
    """The tasks that no child holds. Tasks of children that died come first."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._first: list[_Pending[Task]] = []

    def has_more(self) -> bool:
        """Returns True if a task is left, which is then ``first``."""
        if not self._first:
            self._first = [_Pending(task) for task in islice(self._tasks, 1)]
        return bool(self._first)

    @property
    def first(self) -> _Pending[Task]:
        """The next task, which ``take`` removes. Call ``has_more`` before."""
        return self._first[0]

    def take(self) -> _Pending[Task]:
        """Removes the next task and returns it."""
        return self._first.pop(0)

    def put_back(self, lost: Iterable[_Pending[Task]]) -> None:
        """Adds the tasks of a child that died. Raises ColorizeError if too many processes died over one of them."""
        self._first = [*(_Pending(each.task, each.deaths + 1) for each in lost), *self._first]
        if any(each.deaths > _MOST_DEATHS for each in self._first):
            raise ColorizeError(f"{_MOST_DEATHS} processes died over one task")


class _Child(Generic[Task, Result]):
    """A running child process.

    Attributes:
        link: the connection to the child.
        held: the tasks that the child holds, by number.
        began: True after the first answer of the child.
    """

    def __init__(self, threads: int) -> None:
        self.link, childs_end = Pipe()
        # Popen replaces descriptors 0 to 2 in the child, and the pipe has one of them if this process has closed it.
        descriptor = fcntl.fcntl(childs_end.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
        childs_end.close()
        self.held: dict[int, _Pending[Task]] = {}
        self._threads, self._number = threads, 0
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end
        code = f"import sys; sys.path[:] = {sys.path!r}; from colorize_core.runtime.local.worker import main; main()"
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(  # noqa: S603 - this Python with our own code
            [sys.executable, "-c", code, str(descriptor), str(threads)],
            stdin=subprocess.DEVNULL,
            stdout=self._printed,
            stderr=self._printed,
            pass_fds=[descriptor],
            env=environment,
        )
        os.close(descriptor)
        self._prepared: Callable[[int], Work[Task, Result]] | None = None
        self.began = False

    def prepare(self, make: Callable[[int], Work[Task, Result]]) -> None:
        """Sends the child the function ``make`` of ``Pool.run``, unless the child has it."""
        if self._prepared is not make:
            self._prepared = make
            self._send(MakeMessage(make))

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._process.pid

    def has_room(self, alone: bool) -> bool:
        """Returns True if the child can take a task: one that must run alone, or any other."""
        if alone or any(each.deaths for each in self.held.values()):
            return not self.held
        return len(self.held) < self._threads + _AHEAD

    def send(self, pending: _Pending[Task]) -> None:
        """Sends a task to the child."""
        self._number += 1
        self.held[self._number] = pending
        self._send(TaskMessage(self._number, pending.task, pending.deaths))

    def _send(self, message: MakeMessage[Task, Result] | TaskMessage[Task]) -> None:
        with suppress(OSError):  # the child died, and ``receive`` returns None next
            self.link.send(message)

    def receive(self) -> Started | Answer[Result] | Failure | None:
        """Returns the next message of the child; None if the child died."""
        try:
            answer: Started | Answer[Result] | Failure = self.link.recv()
        except (EOFError, OSError):  # possibly in the middle of an answer
            return None
        self.began = True
        return answer

    def end(self) -> str:
        """Kills the child. Returns ": " and the last line that it printed if it ended by itself; else ''."""
        died = self._process.poll()
        self._process.kill()
        self._process.wait()
        self.link.close()
        with self._printed as printed:
            printed.seek(0)
            lines = printed.read()[-4000:].decode(errors="replace").split("\n")
        last_line = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {last_line}" if died is not None and last_line else ""
