"""The process of one trial of a search: continues from its last checkpoint, and leaves one checkpoint per epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorize_core import models, storage
from colorize_core.errors import RecipeError, one_line
from colorize_core.recipes import with_settings
from colorize_core.training import batches, checkpoints, hardware, model_check
from colorize_core.training.checkpoints import State
from colorize_core.training.history import HistoryRow
from colorize_core.training.loop import EpochPlan, train_epochs
from colorize_core.training.message_queue import MessageQueue
from colorize_core.training.messages import TrialReport
from colorize_core.training.search_plan import SearchPlan
from colorize_core.training.throughput import StepProgress

if TYPE_CHECKING:
    import ray.data


@dataclass(frozen=True)
class TrialInputs:
    """The data and settings that the processes of all trials share.

    Attributes:
        plan: settings and folders of the trials.
        pairs: pairs of the splits ``train`` and ``val``.
        images: number of training images.
        queue: takes the reports of all trials; nothing is published.
    """

    plan: SearchPlan
    pairs: Mapping[str, ray.data.Dataset]
    images: int
    queue: MessageQueue[TrialReport, None]


def run_trial(number: int, inputs: TrialInputs, report: Callable[[HistoryRow], object]) -> None:
    """Runs one trial in its own process: reports the epochs of an earlier run again, and continues from there.

    An error that follows from the trial's settings is written as its failure.

    Args:
        number: number of the trial.
        inputs: what all trials share.
        report: called with each history row. The scheduler may end this process in the call.

    Raises:
        OSError, RayError: a store or the cluster failed, so that the trial should be tried again.
    """
    from ray.exceptions import RayError

    plan = inputs.plan
    compile_all = hardware.set_up(use_gpu=plan.use_gpu, cpus=1, is_alone=True)
    storage.remove_if_there(plan.failure_path(number))  # an earlier run of this search may have left it
    last = checkpoints.load_newest(plan.folder(number))
    for row in last.history if last else []:
        report(row)
    try:
        _train(number, inputs, last, report, compile_all=compile_all)
    except (OSError, RayError):
        raise
    except Exception as error:  # Keras and TensorFlow raise all kinds of exceptions
        storage.write(plan.failure_path(number), one_line(error).encode())


def _train(
    number: int,
    inputs: TrialInputs,
    last: State | None,
    report: Callable[[HistoryRow], object],
    *,
    compile_all: bool,
) -> None:
    """Trains the epochs that are left. Raises RecipeError and all kinds of exceptions of Keras and TensorFlow."""
    import tensorflow as tf

    plan, queue = inputs.plan, inputs.queue
    recipe = with_settings(plan.recipe, plan.trial_settings[number])
    models.check_settings(recipe.model.name, recipe.model.settings)
    steps = inputs.images // recipe.training.batch_size
    if not steps:
        raise RecipeError(f"training.batch_size {recipe.training.batch_size} is more than the {inputs.images} images")
    shards = {name: dataset.iterator() for name, dataset in inputs.pairs.items()}
    learner = model_check.build_learner(recipe, tf.distribute.get_strategy(), compile_all=compile_all)
    learner.plan(steps, batches.class_weights(shards["train"], recipe))

    def on_progress(progress: StepProgress) -> None:
        queue.put(TrialReport(number, progress))

    for state, _ in train_epochs(learner, shards, EpochPlan(recipe, steps, plan.identity), last, on_progress):
        checkpoints.save(plan.folder(number), state, keep=1)
        queue.put(TrialReport(number, state.history))
        report(state.history[-1])
