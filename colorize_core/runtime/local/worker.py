"""The child's side of the pool: runs tasks in threads until the parent closes the connection or is gone."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

from colorize_core.errors import ColorizeError, one_line


def main() -> None:
    """Runs the child process. Its arguments are the file descriptor of the connection and the number of threads.

    The parent sends ("make", function) first, then (kind, number, task, deaths) for each task. The child answers each
    message with (number, result, error), where number 0 belongs to "make" and says that the child has started.
    """
    # A terminal and systemd send signals to all processes. The parent decides what to do.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.setswitchinterval(0.0005)
    link, threads = Connection(int(sys.argv[1])), int(sys.argv[2])
    sending = threading.Lock()
    work: Any = None
    broken: Exception | None = None

    def answer(number: int, result: Any, error: BaseException | None) -> None:
        with sending:
            try:
                pickle.loads(pickle.dumps(error))  # noqa: S301 - checks that the parent can unpickle it
            except Exception:  # an error that cannot be pickled is replaced by its message
                error = ColorizeError(one_line(error)) if error else None
            try:
                link.send((number, result, error))
            except OSError:
                os._exit(1)  # the parent is gone
            except Exception as unsendable:
                link.send((number, None, ColorizeError(one_line(unsendable))))

    def run_task(number: int, work: Any, broken: Exception | None, task: Any, deaths: int) -> None:
        try:
            if broken:
                raise broken
            result = work(task, deaths)
        except BaseException as error:  # the parent waits for an answer in any case
            answer(number, None, error if isinstance(error, Exception) else ColorizeError(f"a task failed: {error!r}"))
        else:
            answer(number, result, None)

    with ThreadPoolExecutor(threads) as pool:
        while True:
            try:
                kind, *message = link.recv()
            except (EOFError, OSError):
                os._exit(0)  # at once: nobody waits for the unfinished tasks, and the next run repeats them
            if kind == "make":
                work = broken = None
                try:
                    work = message[0](threads)
                except Exception as error:
                    broken = error
                answer(0, None, None)  # the child has started
            else:
                number, task, deaths = message
                pool.submit(run_task, number, work, broken, task, deaths)
