"""The trials of a search on Ray Tune, which ends those that fall behind.

The scheduler is ASHA (Li et al. 2020, arXiv:1810.05934). All settings are drawn from the seed before the first trial
starts, and each trial writes a checkpoint per epoch. A search that is resumed reports to the scheduler again what its
trials reached before, and continues with the epochs that are left.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from colorize_core.errors import one_line
from colorize_core.runtime import cluster, placement, signals
from colorize_core.training.history import History
from colorize_core.training.message_queue import MessageListener
from colorize_core.training.messages import TrialReport
from colorize_core.training.search_plan import SearchPlan
from colorize_core.training.throughput import StepProgress
from colorize_core.training.trial_process import TrialInputs, run_trial

if TYPE_CHECKING:
    import ray.data
    from ray.tune import Tuner

_REDUCTION = 3  # one in three of the trials that reach a rung continues
_MAX_LOST_PROCESSES = 2  # processes that one trial may lose in a call of run_trials; one more ends the trial

OnTrial = Callable[[int, History | StepProgress], None]


def run_trials(
    plan: SearchPlan, pairs: Mapping[str, ray.data.Dataset], images: int, on_trial: OnTrial
) -> dict[int, str]:
    """Runs all trials until each has ended or was stopped by the scheduler.

    Args:
        plan: what to try, and the folders in which the trials leave their results.
        pairs: pairs of the splits ``train`` and ``val``.
        images: number of training images.
        on_trial: called with the number of a trial and its progress.

    Returns:
        The reason for each trial that Ray Tune gave up, by the trial's number. Its processes were killed, or a store or
        the cluster failed, more often than ``_MAX_LOST_PROCESSES`` allows.
    """
    # Ray Tune's new output prints boxes, tables and paths even with verbose=0. Without loggers it prints no hint at
    # TensorBoard.
    os.environ.update(RAY_AIR_NEW_OUTPUT="0", TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1")
    with (
        MessageListener[TrialReport, None](lambda report: on_trial(report.number, report.progress)) as listener,
        tempfile.TemporaryDirectory() as ray_tune_folder,
    ):
        tuner = _tuner(TrialInputs(plan, pairs, images, listener.queue), ray_tune_folder)
        with signals.restored():
            results = tuner.fit()
        return {result.config["number"]: _reason(result.error) for result in results if result.error is not None}


def _tuner(inputs: TrialInputs, folder: str) -> Tuner:
    """Returns Ray Tune's job of all trials, which keeps its own files in ``folder``."""
    from ray import tune as ray_tune
    from ray.tune.schedulers import ASHAScheduler

    from colorize_core.runtime.ray_internals.train import silent_reporter

    plan, epochs = inputs.plan, inputs.plan.recipe.training.epochs
    scheduler = ASHAScheduler(
        time_attr="epoch", max_t=epochs, grace_period=max(1, epochs // 9), reduction_factor=_REDUCTION
    )
    trainable = ray_tune.with_resources(
        ray_tune.with_parameters(_run_on_ray_tune, inputs=inputs),
        {"CPU": 1 - placement.CPU_LEFT, **({"GPU": 1} if plan.use_gpu else {})},
    )
    return ray_tune.Tuner(
        trainable,
        param_space={"number": ray_tune.grid_search(list(range(len(plan.trial_settings))))},
        tune_config=ray_tune.TuneConfig(metric="val_mse", mode="min", scheduler=scheduler),
        run_config=ray_tune.RunConfig(
            storage_path=folder,
            verbose=0,
            callbacks=[silent_reporter()],
            failure_config=ray_tune.FailureConfig(max_failures=_MAX_LOST_PROCESSES),
        ),
    )


def _run_on_ray_tune(config: dict[str, int], inputs: TrialInputs) -> None:
    """Runs a trial in the process that Ray Tune started for it. Ray Tune gives the number of the trial in a dict."""
    from ray import tune as ray_tune

    run_trial(config["number"], inputs, lambda row: ray_tune.report(asdict(row)))


def _reason(error: Exception) -> str:
    """Returns the reason why Ray Tune gave up a trial, in one line."""
    from ray.exceptions import OutOfMemoryError, RayActorError

    if isinstance(error, RayActorError | OutOfMemoryError):  # their messages are pages of Ray's internals
        return f"{_MAX_LOST_PROCESSES + 1} processes of this trial were killed, perhaps for lack of memory"
    return one_line(cluster.root_cause(error))
