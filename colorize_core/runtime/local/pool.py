"""The parent's side: hands tasks to child processes, and goes on with another one when one dies."""

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
from typing import Any, Generic, TypeVar

from colorize_core.errors import ColorizeError
from colorize_core.runtime.local import memory

Task = TypeVar("Task")
Result = TypeVar("Result")
Work = Callable[[Task, int], Result]
"""Does one task. Its second argument says how many processes died over the task before."""

_AHEAD = 1  # tasks that wait in the child, so that no thread waits for the parent
_MOST_DEATHS = 1000  # over one task: each photograph in it may take several
_START_DEATHS = 3  # in a row, of children that did nothing: the installation is broken, not a photograph


@dataclass
class _Pending(Generic[Task]):
    task: Task
    deaths: int = 0


class Pool:
    """Child processes with threads. Use it as a context manager: leaving it ends the children.

    Several processes are faster than as many threads of one, which share Python's lock; threads share what is large,
    as TensorFlow is.

    Args:
        processes: at most; the first starts at once, others when there is work for them.
        threads: of each.
        spare: part of the machine's memory that must stay free; None for ``memory.SPARE``.
    """

    def __init__(self, processes: int = 1, threads: int = 1, spare: float | None = None) -> None:
        self.processes, self.threads = processes, threads
        self._children: list[_Child] = []
        self._guard = memory.MemoryGuard(
            lambda: [child.pid for child in self._children], memory.SPARE if spare is None else spare
        )

    def __enter__(self) -> Pool:
        self._guard.start()
        self._children.append(_Child(self.threads))  # it starts while the caller goes on
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._guard.stop()
        self._end()

    def _end(self) -> None:
        while self._children:
            self._children.pop().end()

    def run(self, tasks: Iterable[Task], make: Callable[[int], Work[Task, Result]]) -> Generator[Result, None, None]:
        """Does tasks in the children, and yields their results in the order in which they are done.

        When a child dies, the tasks that were in it are done again, each alone in its child: what dies then is known to
        have died over that task.

        Args:
            tasks: taken one by one, as the children get to them.
            make: called in each child, once, with the number of its threads; gives what does a task. It is pickled, so
                a function of a module or a partial of one.

        Raises:
            ColorizeError: a child cannot be started, or a task kills it again and again.
            Exception: what a task raised; the others are given up.
        """
        waiting = _Waiting(tasks)
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
                    child = busy[link]  # type: ignore[index]  # of the connections that wait was given
                    answer = child.receive()
                    if answer is None:
                        idle_deaths += not child.began
                        self._children.remove(child)
                        waiting.again(child.held.values())
                        why = child.end()
                        if idle_deaths >= _START_DEATHS:
                            raise ColorizeError(f"the process that does the work cannot start{why}")
                        continue
                    number, result, error = answer
                    if not number:  # it has started
                        continue
                    del child.held[number]
                    idle_deaths = 0
                    if error is not None:
                        raise error
                    yield result
        finally:
            if not done:
                self._end()

    def _hand_out(self, waiting: _Waiting[Task], make: Callable[..., Any]) -> None:
        """Gives each child as much as it can hold; starts another one if there is more."""
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


class _Waiting(Generic[Task]):
    """The tasks that no child has, those that died first."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._first: list[_Pending[Task]] = []

    def has_more(self) -> bool:
        """Whether there is one, which is then ``first``."""
        if not self._first:
            self._first = [_Pending(task) for task in islice(self._tasks, 1)]
        return bool(self._first)

    @property
    def first(self) -> _Pending[Task]:
        """The one that is next."""
        return self._first[0]

    def take(self) -> _Pending[Task]:
        """Gives the first away."""
        return self._first.pop(0)

    def again(self, lost: Iterable[_Pending[Task]]) -> None:
        """Takes tasks back over which a process has died. Raises ColorizeError where too many did."""
        self._first = [*(_Pending(each.task, each.deaths + 1) for each in lost), *self._first]
        if any(each.deaths > _MOST_DEATHS for each in self._first):
            raise ColorizeError(f"{_MOST_DEATHS} processes died over one task")


class _Child:
    """A running child process.

    Attributes:
        link: the connection to it.
        held: its tasks, by number.
        began: it has answered.
    """

    def __init__(self, threads: int) -> None:
        self.link, far = Pipe()
        # Not one of the first three, which Popen gives to the child as its own, if this process has closed them.
        other = fcntl.fcntl(far.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
        far.close()
        self.held: dict[int, _Pending[Any]] = {}
        self._threads, self._number = threads, 0
        self._noise = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end
        code = f"import sys; sys.path[:] = {sys.path!r}; from colorize_core.runtime.local.worker import main; main()"
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(  # noqa: S603 - this very Python, with our own code
            [sys.executable, "-c", code, str(other), str(threads)],
            stdin=subprocess.DEVNULL,
            stdout=self._noise,
            stderr=self._noise,
            pass_fds=[other],
            env=environment,
        )
        os.close(other)
        self._prepared: Any = None
        self.began = False

    def prepare(self, make: Callable[..., Any]) -> None:
        """Tells the child what does the next tasks, unless it knows."""
        if self._prepared is not make:
            self._prepared = make
            self._tell(("make", make))

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def has_room(self, alone: bool) -> bool:
        """Whether it can take a task: one that has to be alone, or any other."""
        if alone or any(each.deaths for each in self.held.values()):
            return not self.held
        return len(self.held) < self._threads + _AHEAD

    def send(self, pending: _Pending[Any]) -> None:
        """Hands a task over."""
        self._number += 1
        self.held[self._number] = pending
        self._tell(("task", self._number, pending.task, pending.deaths))

    def _tell(self, message: tuple[Any, ...]) -> None:
        with suppress(OSError):  # it died: receive will say so
            self.link.send(message)

    def receive(self) -> tuple[int, Any, BaseException | None] | None:
        """Returns the next answer: a task's number, or 0 once it has started, and result or error. None if it died."""
        try:
            answer: tuple[int, Any, BaseException | None] = self.link.recv()
        except (EOFError, OSError):  # also in the middle of an answer
            return None
        self.began = True
        return answer

    def end(self) -> str:
        """Ends the child. Returns the last line that it printed, if it ended by itself, as part of a message."""
        died = self._process.poll()
        self._process.kill()
        self._process.wait()
        self.link.close()
        with self._noise as noise:
            noise.seek(0)
            lines = noise.read()[-4000:].decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {said}" if died is not None and said else ""
