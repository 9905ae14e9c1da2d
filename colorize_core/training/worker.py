"""The process of one training worker: set-up, model check, and the epochs between start and last checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorize_core.color import Floats
from colorize_core.errors import UserError, one_line
from colorize_core.recipes import Recipe
from colorize_core.training import checkpoints, hardware
from colorize_core.training.checkpoints import State
from colorize_core.training.loop import EpochPlan, train_epochs
from colorize_core.training.message_queue import MessageQueue
from colorize_core.training.messages import Failure, Message, ModelCheckResult, Samples, WorkerStarted
from colorize_core.training.model_check import build_learner
from colorize_core.training.packaging import pack_best, write_package
from colorize_core.training.throughput import OnProgress, ignore_progress

if TYPE_CHECKING:
    import ray.data

    from colorize_core.training.learner import Learner

_RESUME_HINT = "make it writable or free space, then continue with --resume"


@dataclass(frozen=True)
class WorkerConfig:
    """The arguments of ``train_worker``, which are sent to each worker process.

    Attributes:
        recipe: what to train.
        use_gpu: whether the worker has a GPU.
        folder: folder for the checkpoints, and for the ``NetworkPackage`` at the end.
        queue: takes the messages of the first worker, and publishes the data of the training.
    """

    recipe: Recipe
    use_gpu: bool
    folder: str
    queue: MessageQueue[Message, TrainingData]


@dataclass(frozen=True)
class TrainingData:
    """The data of a training, which the driver publishes to the workers when it has read the photographs.

    Attributes:
        pairs: pairs of the splits ``train`` and ``val``.
        steps: number of steps in an epoch.
        identity: digest of recipe and data; a checkpoint with another identity is not resumed.
        class_weights: the result of ``batches.class_weights``.
    """

    pairs: Mapping[str, ray.data.Dataset]
    steps: int
    identity: str
    class_weights: Floats | None

    def shards(self, rank: int, workers: int) -> Mapping[str, ray.data.DataIterator]:
        """Returns this worker's part of each split; every worker has to call it."""
        if workers == 1:
            return {name: pairs.iterator() for name, pairs in self.pairs.items()}
        import ray
        import ray.train.collective

        split = {}
        if rank == 0:
            split = {name: pairs.streaming_split(workers, equal=True) for name, pairs in self.pairs.items()}
        shared = ray.train.collective.broadcast_from_rank_zero(split)
        return {name: shards[rank] for name, shards in shared.items()}


def train_worker(config: WorkerConfig) -> None:
    """Trains this worker's replica under Ray Train.

    Imports TensorFlow, builds the recipe's model and traces its training step while the driver reads the photographs,
    then waits for them. Rank 0 writes a checkpoint per epoch, and the weights of the best epoch as a ``NetworkPackage``
    at the end. An error that a user can mend is sent as a message and not raised, since Ray Train would retry it.
    """
    import ray
    import ray.train

    context = ray.train.get_context()
    rank, workers = context.get_world_rank(), context.get_world_size()
    recipe, queue, is_first = config.recipe, config.queue, rank == 0
    if is_first:
        queue.put(WorkerStarted())
    cpus = ray.get_runtime_context().get_assigned_resources().get("CPU", 1)
    compile_all = hardware.set_up(use_gpu=config.use_gpu, cpus=cpus, is_alone=workers == 1)
    import tensorflow as tf

    # TensorFlow wants the strategy created before any computation.
    strategy = tf.distribute.MultiWorkerMirroredStrategy() if workers > 1 else tf.distribute.get_strategy()
    try:
        learner = build_learner(recipe, strategy, compile_all=compile_all)
    except UserError as error:
        if not is_first:  # the others may wait for this worker
            raise
        queue.put(ModelCheckResult(str(error)))
        return
    if is_first:
        queue.put(ModelCheckResult(""))
    learner.trace(recipe.training.batch_size // workers)
    data = queue.wait_for_published()
    shards = data.shards(rank, workers)
    learner.plan(data.steps, data.class_weights)
    plan = EpochPlan(recipe, data.steps, data.identity, rank, workers)
    failure = _train(config, plan, learner, shards)
    if is_first and failure:
        queue.put(Failure(failure))


def _train(
    config: WorkerConfig, plan: EpochPlan, learner: Learner, shards: Mapping[str, ray.data.DataIterator]
) -> Exception | None:
    """Trains all epochs from the newest checkpoint on, and returns the error that ended the training, or None."""
    import ray.train.collective

    recipe, queue, is_first = config.recipe, config.queue, plan.rank == 0
    last = checkpoints.load_newest(config.folder)
    error: Exception | None = None
    try:
        report: OnProgress = queue.put if is_first else ignore_progress
        for state, draw_samples in train_epochs(learner, shards, plan, last, report):
            last = state
            if is_first:
                error = _save_checkpoint(config.folder, state, recipe)
                queue.put(state.history[-1])
                if state.epoch % recipe.training.samples_every == 0:
                    queue.put(Samples(draw_samples()))
            if ray.train.collective.broadcast_from_rank_zero(error is not None):
                break
    except FloatingPointError as not_finite:  # raised on every worker: they share the loss
        error = not_finite
    if is_first and error is None and last is not None:
        error = _save_network(config.folder, last, recipe)
    return error


def _save_checkpoint(folder: str, state: State, recipe: Recipe) -> OSError | None:
    try:
        checkpoints.save(folder, state, recipe.training.keep)
    except OSError as error:
        return OSError(f"the checkpoint of epoch {state.epoch} cannot be written ({one_line(error)}): {_RESUME_HINT}")
    return None


def _save_network(folder: str, state: State, recipe: Recipe) -> OSError | None:
    try:
        write_package(pack_best(state, recipe), folder)
    except OSError as error:
        return OSError(f"the weights cannot be written to {folder} ({one_line(error)}): {_RESUME_HINT}")
    return None
