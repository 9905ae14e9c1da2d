"""Progress within an epoch: the share of steps that are done, and images per second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

_REPORT_SECONDS = 3.0  # between two reports: a person sees the bar move, and training is not slowed down


@dataclass(frozen=True)
class StepProgress:
    """Progress within an epoch.

    Attributes:
        epoch: number of the epoch, from 1 on.
        fraction: share of the epoch's steps that are done, in (0, 1].
        images_per_second: throughput since the last report.
        seconds: time that all steps of the epoch take at this throughput.
    """

    epoch: int
    fraction: float
    images_per_second: float
    seconds: float


OnProgress = Callable[[StepProgress], None]


def ignore_progress(progress: StepProgress) -> None:
    """Does nothing: for workers that report no progress."""


class ThroughputMeter:
    """Counts the steps of an epoch and reports the throughput every few seconds.

    Args:
        epoch: number of the epoch, from 1 on.
        steps: number of steps in the epoch.
        batch_size: images per step, over all workers.
        report: called with each report.
    """

    def __init__(self, epoch: int, steps: int, batch_size: int, report: OnProgress) -> None:
        self._epoch, self._steps, self._batch_size, self._report = epoch, steps, batch_size, report
        self._done = 0
        self._last_report: tuple[int, float] | None = None  # steps done, time

    def step(self) -> None:
        """Counts one more step."""
        self._done += 1
        now = time.monotonic()
        if self._last_report is None:  # the first step includes compilation, so it does not count
            self._last_report = self._done, now
            return
        steps, seconds = self._done - self._last_report[0], now - self._last_report[1]
        if seconds >= _REPORT_SECONDS:
            self._last_report = self._done, now
            rate = steps * self._batch_size / seconds
            fraction = self._done / self._steps
            self._report(StepProgress(self._epoch, fraction, rate, self._steps * self._batch_size / rate))
