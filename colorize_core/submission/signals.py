"""Turns SIGINT and SIGTERM into events in a queue, so that a signal does not interrupt a write."""

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
    """A signal that this process received.

    Attributes:
        is_final: True for SIGTERM: there is no user to ask.
        taken: True once the receiver of the event has seen it.
    """

    is_final: bool
    taken: bool = False


@contextmanager
def signals_to(put: Callable[[Signal], None]) -> Iterator[None]:
    """Calls ``put`` with each signal. A second signal raises KeyboardInterrupt if the first one is not taken yet.

    A signal that the process ignores stays ignored: shells set this for commands that they start with ``&``.
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
    """Raises KeyboardInterrupt on each signal, so that a signal ends the wait for the user's answer."""
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
