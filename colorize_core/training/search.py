"""The trials of a search on Ray Tune: the plan that they share, the scheduler, and the process of one trial.

The scheduler is ASHA (Li et al. 2020, arXiv:1810.05934). All settings are drawn from the seed before the first trial
starts, and each trial writes a checkpoint per epoch. A search that is resumed reports to the scheduler again what its
trials reached before, and continues with the epochs that are left.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from colorize_core import storage
from colorize_core.errors import InputError, RecipeError, one_line
from colorize_core.recipes import Recipe, with_settings
from colorize_core.runtime import cluster, placement, signals
from colorize_core.training import batches, checkpoints, hardware, model_check
from colorize_core.training.history import History
from colorize_core.training.loop import EpochPlan, train_epochs
from colorize_core.training.message_queue import MessageListener, MessageQueue
from colorize_core.training.throughput import StepProgress
from colorize_core.training.trials import Trial

if TYPE_CHECKING:
    import ray.data

_REDUCTION = 3  # one in three of the trials that reach a rung continues
_MAX_LOST_PROCESSES = 2  # processes that one trial may lose in a call of run_trials; one more ends the trial

OnTrial = Callable[[int, History | StepProgress], None]


@dataclass(frozen=True)
class SearchPlan:
    """The plan of a search, which is sent to the process of each trial.

    Attributes:
        recipe: each trial replaces some of its settings.
        drawn: settings of each trial, by dotted name such as ``training.learning_rate``.
        scratch: folder for the checkpoints of all trials.
        fingerprint: digest of the training images.
        use_gpu: whether each trial has a GPU.
    """

    recipe: Recipe
    drawn: list[dict[str, Any]]
    scratch: str
    fingerprint: str
    use_gpu: bool

    @property
    def identity(self) -> str:
        """Digest of recipe, settings and data; a search with another identity must not be resumed."""
        return hashlib.sha256(json.dumps([self.recipe.model_dump(), self.drawn, self.fingerprint]).encode()).hexdigest()

    def folder(self, number: int) -> str:
        """Returns the folder for the checkpoints of a trial."""
        return storage.join(self.scratch, f"{number:04d}")

    def check(self) -> None:
        """Writes the identity into the folder. Raises InputError if the folder holds another search."""
        path = storage.join(self.scratch, "search")
        if storage.exists(path) and storage.read(path).decode(errors="replace") != self.identity:
            raise InputError(
                f"{self.scratch} holds a search of another recipe, space or data, or with another --trials: give "
                "those, or remove it"
            )
        storage.write(path, self.identity.encode())

    def failure_path(self, number: int) -> str:
        """Returns the path of the file in which a trial writes why it failed."""
        return storage.join(self.folder(number), "failure")

    def epochs(self) -> list[int]:
        """Returns the number of finished epochs of each trial, in the order of the trials' numbers."""
        return [checkpoints.newest_epoch(self.folder(number)) for number in range(len(self.drawn))]

    def trial(self, number: int, lost: str) -> Trial:
        """Reads the result of a trial from its files.

        Args:
            number: number of the trial.
            lost: reason from ``run_trials`` if Ray Tune gave the trial up; else ''.
        """
        state = checkpoints.load_newest(self.folder(number))
        path = self.failure_path(number)
        failure = lost or (storage.read(path).decode() if storage.exists(path) else "")
        history = state.history if state else []
        return Trial(number, self.drawn[number], history, failure or ("" if history else "no epoch was finished"))


def run_trials(
    plan: SearchPlan, data: Mapping[str, ray.data.Dataset], images: int, on_trial: OnTrial
) -> dict[int, str]:
    """Runs all trials until each has ended or was stopped by the scheduler.

    Args:
        plan: what to try, and the folders in which the trials leave their results.
        data: pairs of the splits ``train`` and ``val``.
        images: number of training images.
        on_trial: called with the number of a trial and its progress.

    Returns:
        The reason for each trial that Ray Tune gave up, by the trial's number. Its processes were killed, or a store or
        the cluster failed, more often than ``_MAX_LOST_PROCESSES`` allows.
    """
    # Ray Tune's new output prints boxes, tables and paths even with verbose=0. Without loggers it prints no hint at
    # TensorBoard.
    os.environ.update(RAY_AIR_NEW_OUTPUT="0", TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1")
    from ray import tune as ray_tune
    from ray.tune.schedulers import ASHAScheduler

    from colorize_core.runtime.ray_internals.train import silent_reporter

    epochs = plan.recipe.training.epochs
    with (
        MessageListener(lambda message: on_trial(*message)) as listener,
        tempfile.TemporaryDirectory() as ray_tune_folder,
    ):
        trainable = ray_tune.with_resources(
            ray_tune.with_parameters(_run_trial, plan=plan, data=data, images=images, queue=listener.queue),
            {"CPU": 1 - placement.CPU_LEFT, **({"GPU": 1} if plan.use_gpu else {})},
        )
        tuner = ray_tune.Tuner(
            trainable,
            param_space={"number": ray_tune.grid_search(list(range(len(plan.drawn))))},
            tune_config=ray_tune.TuneConfig(
                metric="val_mse",
                mode="min",
                scheduler=ASHAScheduler(
                    time_attr="epoch", max_t=epochs, grace_period=max(1, epochs // 9), reduction_factor=_REDUCTION
                ),
            ),
            run_config=ray_tune.RunConfig(
                storage_path=ray_tune_folder,
                verbose=0,
                callbacks=[silent_reporter()],
                failure_config=ray_tune.FailureConfig(max_failures=_MAX_LOST_PROCESSES),
            ),
        )
        with signals.restored():
            results = tuner.fit()
        return {result.config["number"]: _reason(result.error) for result in results if result.error is not None}


def _reason(error: Exception) -> str:
    """Returns the reason why Ray Tune gave up a trial, in one line."""
    from ray.exceptions import OutOfMemoryError, RayActorError

    if isinstance(error, RayActorError | OutOfMemoryError):  # their messages are pages of Ray's internals
        return f"{_MAX_LOST_PROCESSES + 1} processes of it were killed, perhaps for lack of memory"
    return one_line(cluster.root_cause(error))


def _run_trial(
    config: dict[str, Any],
    plan: SearchPlan,
    data: Mapping[str, ray.data.Dataset],
    images: int,
    queue: MessageQueue,
) -> None:
    """Runs one trial in its own process: reports the epochs of an earlier run again, and continues from there.

    An error that follows from the trial's settings is written as its failure. An error of a store or of the cluster is
    raised, so that Ray Tune retries.
    """
    from ray import tune as ray_tune
    from ray.exceptions import RayError

    compile_all = hardware.set_up(use_gpu=plan.use_gpu, cpus=1, is_alone=True)
    import tensorflow as tf

    number = config["number"]
    folder = plan.folder(number)
    storage.remove_if_there(plan.failure_path(number))  # an earlier run of this search may have left it
    last = checkpoints.load_newest(folder)
    for row in last.history if last else []:
        ray_tune.report(row)
    try:
        recipe = with_settings(plan.recipe, plan.drawn[number])
        model_check.check_settings(recipe)
        steps = images // recipe.training.batch_size
        if not steps:
            raise RecipeError(f"training.batch_size {recipe.training.batch_size} is more than the {images} images")
        shards = {name: dataset.iterator() for name, dataset in data.items()}
        learner = model_check.build_learner(recipe, tf.distribute.get_strategy(), compile_all=compile_all)
        learner.plan(steps, batches.class_weights(shards["train"], recipe))

        def report(progress: StepProgress) -> None:
            queue.put((number, progress))

        for state, _ in train_epochs(learner, shards, EpochPlan(recipe, steps, plan.identity), last, report):
            checkpoints.save(folder, state, keep=1)
            queue.put((number, state.history))
            ray_tune.report(state.history[-1])
    except (OSError, RayError):
        raise
    except Exception as error:  # Keras and TensorFlow raise all kinds of exceptions
        storage.write(plan.failure_path(number), one_line(error).encode())
