"""The child's side of the pool: runs tasks in threads until the parent closes the connection or is gone."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

from colorize_core.errors import ColorizeError, one_line
from colorize_core.runtime.local.messages import Answer, Failure, MakeMessage, Started, TaskMessage, Work


def main() -> None:
    """Runs the child process. Its arguments are the file descriptor of the connection and the number of threads.

    The parent sends a ``MakeMessage`` first, which the child answers with ``Started``; then a ``TaskMessage`` for each
    task, which the child answers with ``Answer`` or ``Failure``.
    """
    # A terminal and systemd send signals to all processes. The parent decides what to do.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.setswitchinterval(0.0005)
    link, threads = Connection(int(sys.argv[1])), int(sys.argv[2])
    sending = threading.Lock()
    work: Work[object, object] | Exception = ColorizeError("a task came before the function that does it")

    def send(message: Started | Answer[object] | Failure) -> None:
        with sending:
            try:
                link.send(message)
            except OSError:
                os._exit(1)  # the parent is gone

    def run_task(work: Work[object, object] | Exception, message: TaskMessage[object]) -> None:
        try:
            if isinstance(work, Exception):
                raise work
            result = work(message.task, message.deaths)
        except Exception as error:
            send(Failure(message.number, _picklable(error)))
        except BaseException as error:  # the parent waits for an answer in any case
            send(Failure(message.number, ColorizeError(f"a task failed: {error!r}")))
        else:
            try:
                send(Answer(message.number, result))
            except Exception as unsendable:  # the result cannot be pickled
                send(Failure(message.number, ColorizeError(one_line(unsendable))))

    with ThreadPoolExecutor(threads) as pool:
        while True:
            try:
                message: MakeMessage[object, object] | TaskMessage[object] = link.recv()
            except (EOFError, OSError):
                os._exit(0)  # at once: nobody waits for the unfinished tasks, and the next run repeats them
            if isinstance(message, MakeMessage):
                try:
                    work = message.make(threads)
                except Exception as error:  # each task answers with this error
                    work = error
                send(Started())
            else:
                pool.submit(run_task, work, message)


def _picklable(error: Exception) -> Exception:
    """Returns the error, or a ColorizeError with its message if the parent could not unpickle the error."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own error
    except Exception:
        return ColorizeError(one_line(error))
    return error
