"""The message queue between workers and driver, and what the driver does with the messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorize_core.training.message_queue import MessageListener
from colorize_core.training.messages import Failure, Samples, TrialReport
from colorize_core.training.progress import TrainingProgress
from colorize_core.training.throughput import StepProgress, ignore_progress
from tests.support.histories import history_row


@pytest.mark.usefixtures("ray_here")
def test_every_message_is_handled_before_the_listener_ends() -> None:
    reports = [TrialReport(0, StepProgress(1, 0.5, 40.0, 20.0)), TrialReport(1, [history_row(1, loss=0.5)])]
    handled: list[TrialReport] = []

    def handle(report: TrialReport) -> None:
        handled.append(report)
        raise OSError("the disk is full")

    with MessageListener[TrialReport, str](handle) as listener:
        for report in reports:
            listener.queue.put(report)
        listener.queue.publish("the data")
        assert [listener.queue.wait_for_published() for _ in range(2)] == ["the data"] * 2
    assert handled == reports


def test_samples_are_written_and_a_failure_is_kept(tmp_path: Path) -> None:
    progress = TrainingProgress(str(tmp_path), lambda row: None, ignore_progress)
    progress.handle(Samples(b"a picture"))
    assert (tmp_path / "samples.png").read_bytes() == b"a picture"
    assert progress.error is None
    error = FloatingPointError("the loss is not a finite number")
    progress.handle(Failure(error))
    assert progress.error is error
