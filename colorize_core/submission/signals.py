"""SIGINT and SIGTERM as events among others, so that none cuts off what is being written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Signal:
    """One that came.

    Attributes:
        is_final: a SIGTERM: nobody is there to be asked.
        taken: whether it was looked at.
    """

    is_final: bool
    taken: bool = False


@contextmanager
def signals_to(put: Callable[[Signal], None]) -> Iterator[None]:
    """Puts signals; one that comes while the one before is not taken yet is a KeyboardInterrupt at once.

    What ignores a signal, as commands that a shell starts with ``&`` do, goes on to ignore it.
    """
    last = Signal(is_final=False, taken=True)

    def take(number: int, frame: FrameType | None) -> None:
        nonlocal last
        if not last.taken:
            raise KeyboardInterrupt
        last = Signal(is_final=number == signal.SIGTERM)
        put(last)

    with _handled(take):
        yield


@contextmanager
def signals_raised() -> Iterator[None]:
    """Makes each signal a KeyboardInterrupt: while somebody is asked, reading has to end."""
    with _handled(signal.default_int_handler):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    before = {number: old for number, old in before.items() if old != signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
