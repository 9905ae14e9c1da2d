"""SIGTERM and SIGINT around Ray, which replaces their handlers and loses what they raise while it starts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def restored() -> Iterator[None]:
    """Restores the process's handlers of SIGTERM and SIGINT after the block; Ray replaces them by an immediate exit."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except SystemExit as error:  # raised by Ray's handler
        raise KeyboardInterrupt from error
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)


@contextmanager
def held() -> Iterator[None]:
    """Delays SIGTERM and SIGINT: raises KeyboardInterrupt when the block ends, or at once on a second signal.

    While Ray is imported and starts, its compiled code calls Python and loses exceptions raised there: one signal in
    twenty.
    """
    received = threading.Event()

    def hold(number: int, frame: object) -> None:
        if received.is_set():
            raise KeyboardInterrupt
        received.set()

    try:
        with restored():
            if threading.current_thread() is threading.main_thread():
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, hold)
            yield
    finally:
        if received.is_set():
            raise KeyboardInterrupt
