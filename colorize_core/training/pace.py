"""How far an epoch is, and how fast."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

_SECONDS_BETWEEN = 3.0  # two moments: a person sees the bar move, the workers feel nothing


@dataclass(frozen=True)
class Moment:
    """One within an epoch.

    Attributes:
        epoch: from 1 on.
        part: of the epoch's steps that are done, in (0, 1].
        images_per_second: since the last moment.
        seconds: that the steps of an epoch take at this rate.
    """

    epoch: int
    part: float
    images_per_second: float
    seconds: float


OnMoment = Callable[[Moment], None]


def ignore(moment: Moment) -> None:
    """For workers that tell nothing."""


class Pace:
    """Counts the steps of an epoch, and tells a moment now and then.

    Args:
        epoch: from 1 on.
        steps: of it.
        batch_size: images of a step, on all workers.
        tell: what takes the moments.
    """

    def __init__(self, epoch: int, steps: int, batch_size: int, tell: OnMoment) -> None:
        self._epoch, self._steps, self._batch_size, self._tell = epoch, steps, batch_size, tell
        self._done = 0
        self._told: tuple[int, float] | None = None  # steps, and when

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        now = time.monotonic()
        if self._told is None:  # the first step compiles, which is no part of the rate
            self._told = self._done, now
            return
        steps, seconds = self._done - self._told[0], now - self._told[1]
        if seconds >= _SECONDS_BETWEEN:
            self._told = self._done, now
            rate = steps * self._batch_size / seconds
            part = self._done / self._steps
            self._tell(Moment(self._epoch, part, rate, self._steps * self._batch_size / rate))
