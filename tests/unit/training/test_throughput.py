"""Progress within an epoch, and how it is shown. TensorFlow computes here, on small inputs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from colorize_core.recipes import load_recipe
from colorize_core.training import throughput
from colorize_core.training.learner import Learner
from colorize_core.training.loop import EpochPlan, train_epochs
from colorize_core.training.progress import TrainingProgress
from colorize_core.training.screen import EpochProgress, TrialProgress
from colorize_core.training.throughput import StepProgress, ThroughputMeter
from tests.support.histories import history_row
from tests.support.small_recipe import SETTINGS

_VALIDATION = 0.5  # seconds


def test_moments_come_now_and_then_and_leave_the_first_step_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    told: list[StepProgress] = []
    meter = ThroughputMeter(2, 100, 8, told.append)
    now[0] = 50.0  # it compiled
    for _ in range(41):
        meter.step()
        now[0] += 0.25
    assert [round(report.fraction * 100) for report in told] == [13, 25, 37]
    assert {report.epoch for report in told} == {2}
    assert {report.images_per_second for report in told} == {32.0}
    assert {report.seconds for report in told} == {25.0}


class Shard:
    """As Ray Data's, of random pairs."""

    def __init__(self, images: int, seconds: float = 0.0) -> None:
        self._images, self._seconds = images, seconds

    def iter_batches(self, batch_size: int, **_: Any) -> Iterator[dict[str, np.ndarray]]:
        time.sleep(self._seconds)
        rng = np.random.default_rng(0)
        for _step in range(self._images // batch_size):
            shapes = {"input": (batch_size, 32, 32, 1), "target": (batch_size, 32, 32, 2)}
            yield {name: rng.uniform(-0.5, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def test_epochs_tell_their_moments_and_count_their_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "_REPORT_SECONDS", 0.0)
    recipe = load_recipe("unet-lab", SETTINGS | {"training.epochs": 2, "training.batch_size": 8})
    shards: Any = {"train": Shard(32), "val": Shard(8, _VALIDATION)}
    plan = EpochPlan(recipe, 4, "identity")
    told: list[StepProgress] = []
    begun = time.time()

    def learner() -> Learner:
        begun = Learner(recipe, tf.distribute.get_strategy())
        begun.plan(4)
        return begun

    for _, _ in train_epochs(learner(), shards, plan, on_progress=told.append):
        pass
    assert [(report.epoch, report.fraction) for report in told] == [(e, p) for e in (1, 2) for p in (0.5, 0.75, 1.0)]
    [*_, (state, _)] = train_epochs(learner(), shards, plan)
    for row in state.history:
        assert row.seconds > 32 / row.images_per_second + 0.9 * _VALIDATION
    ended = [row.ended_at for row in state.history]
    assert begun < ended[0] < ended[1] <= time.time()


def test_in_a_log_a_line_comes_within_an_epoch(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    with EpochProgress(3) as screen:
        progress = TrainingProgress(str(tmp_path), screen.epoch, screen.step)
        for line_is_due in (True, False):
            if line_is_due:
                screen._line -= 60
            progress.handle(StepProgress(1, 0.25, 40.0, 600.0))
    assert capsys.readouterr().out == "25% of epoch 1 of 3  40 images/s  28 min left\n"


def test_trials_say_how_far_their_epochs_are(capsys: pytest.CaptureFixture[str]) -> None:
    with TrialProgress(6, 9) as screen:
        screen._line -= 60
        screen.update(2, StepProgress(4, 0.5, 40.0, 20.0))
        assert len(screen.bar.tasks) == 1
        row = history_row(4, val_mse=0.1, val_gray_mse=0.2, images_per_second=40.0)
        screen.update(2, [row])
        assert not screen.bar.tasks
    first, second = capsys.readouterr().out.splitlines()
    assert first == "50% of epoch 4 of 9, trial 3 of 6  40 images/s"
    assert second.startswith("trial 3/6  epoch 4/9  val MSE 0.1")


def test_on_a_terminal_the_bar_moves(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with EpochProgress(3) as screen:
        screen.step(StepProgress(1, 0.25, 40.0, 20.0))
        [task] = screen.bar.tasks
        assert (task.description, task.completed) == ("epoch 1 of 3", 0.25)
    assert "40 images/s  55 s left" in capsys.readouterr().out
