"""One training worker: epochs from the newest checkpoint to the last one."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colorize_core.color import Floats
from colorize_core.errors import UserError, one_line
from colorize_core.evaluation import saturation
from colorize_core.images import contact_sheet, png
from colorize_core.preprocessing import pairs
from colorize_core.recipes import Recipe
from colorize_core.training import batches, checkpoints, hardware, pace
from colorize_core.training.checkpoints import Arrays, History, State
from colorize_core.training.messages import Entered, Verdict
from colorize_core.training.model_check import build_learner
from colorize_core.training.packaging import Package

if TYPE_CHECKING:
    import ray.data

    from colorize_core.training.learner import Learner

HISTORY = (
    *("epoch", "loss", "val_loss", "val_gray_loss", "val_mse", "val_gray_mse"),
    *("vivid_gain", "learning_rate", "images_per_second", "seconds", "ended_at"),
)
_SAMPLES = 8
_CALIBRATED = 256  # validation images on which the vivid gain is measured
_MEND = "mend that, and go on with --resume"


@dataclass(frozen=True)
class Work:
    """What the workers wait for: what the driver knows as soon as it has read the photographs.

    Attributes:
        pairs: ``train`` and ``val``.
        steps: number of steps in an epoch.
        identity: of the training; a checkpoint of another one is not gone on from.
        class_weights: of ``batches.class_weights``.
    """

    pairs: Mapping[str, ray.data.Dataset]
    steps: int
    identity: str
    class_weights: Floats | None

    def shards(self, rank: int, workers: int) -> Mapping[str, ray.data.DataIterator]:
        """Returns this worker's part of the pairs; every worker has to call it."""
        if workers == 1:
            return {name: pairs.iterator() for name, pairs in self.pairs.items()}
        import ray
        import ray.train.collective

        split = {}
        if rank == 0:
            split = {name: pairs.streaming_split(workers, equal=True) for name, pairs in self.pairs.items()}
        shared = ray.train.collective.broadcast_from_rank_zero(split)
        return {name: shards[rank] for name, shards in shared.items()}


def train_worker(config: dict[str, Any]) -> None:
    """Trains this worker's replica under Ray Train.

    Imports TensorFlow, builds the recipe's model and traces a step of it while the driver reads the photographs, then
    waits for them. Rank 0 leaves a checkpoint per epoch, and the weights of the best epoch as a ``Package`` at the end.
    What a user can mend goes through ``post`` as an error, since Ray Train would try again what it takes for a fault.

    Args:
        config: ``recipe`` as a dict; ``use_gpu``; ``folder`` for checkpoints; ``post``, a ``progress.Post`` that takes
            a verdict on the model, moments, history rows, pictures as PNG, and the error that ends the training, and
            gives the ``Work``.
    """
    import ray
    import ray.train
    import ray.train.collective

    context = ray.train.get_context()
    rank, workers = place = context.get_world_rank(), context.get_world_size()
    recipe, post, first = Recipe.model_validate(config["recipe"]), config["post"], rank == 0
    if first:
        post.put(Entered())
    cpus = ray.get_runtime_context().get_assigned_resources().get("CPU", 1)
    compile_all = hardware.set_up(use_gpu=config["use_gpu"], cpus=cpus, is_alone=workers == 1)
    import tensorflow as tf

    # Before anything is computed.
    strategy = tf.distribute.MultiWorkerMirroredStrategy() if workers > 1 else tf.distribute.get_strategy()
    try:
        learner = build_learner(recipe, strategy, compile_all=compile_all)
    except UserError as error:
        if not first:  # the others may wait for this one
            raise
        post.put(Verdict(str(error)))
        return
    if first:
        post.put(Verdict(""))
    learner.trace(recipe.training.batch_size // workers)
    work = post.take()
    shards = work.shards(*place)
    learner.plan(work.steps, work.class_weights)
    last = checkpoints.load_newest(config["folder"])
    trouble: Exception | None = None
    try:
        tell = post.put if first else pace.ignore
        for state, draw in epochs(recipe, learner, shards, work.steps, work.identity, place, last, tell):
            last = state
            if first:
                trouble = _keep(config["folder"], state, recipe)
                post.put(state.history[-1])
                if state.epoch % recipe.training.samples_every == 0:
                    post.put(draw())
            if ray.train.collective.broadcast_from_rank_zero(trouble is not None):
                break
    except FloatingPointError as error:  # on every worker: they share the loss
        trouble = error
    if first:
        if trouble is None and last is not None:
            trouble = _keep_best(config["folder"], last, recipe)
        if trouble:
            post.put(trouble)


def epochs(
    recipe: Recipe,
    learner: Learner,
    shards: Mapping[str, ray.data.DataIterator],
    steps: int,
    identity: str,
    place: tuple[int, int] = (0, 1),
    state: State | None = None,
    on_moment: pace.OnMoment = pace.ignore,
) -> Iterator[tuple[State, Callable[[], bytes]]]:
    """Trains epoch by epoch; gives the state after each, and what draws a few validation images as PNG.

    Args:
        recipe: what to train.
        learner: this worker's part; it was told its ``plan``.
        shards: its ``train`` and ``val`` pairs.
        steps: of an epoch.
        identity: kept in the states.
        place: rank of the worker, and number of all.
        state: where to go on.
        on_moment: told every few seconds how far an epoch is.

    Raises:
        FloatingPointError: the loss is no number any more.
    """
    history: History = list(state.history) if state else []
    best: Arrays = dict(state.best) if state else {}
    if state:
        learner.restore(state.arrays)
    while len(history) < recipe.training.epochs and not is_over(history, recipe.training.patience):
        epoch, started = len(history) + 1, time.perf_counter()
        try:
            seed = [recipe.training.seed, epoch, place[0]]
            steady = pace.Pace(epoch, steps, recipe.training.batch_size, on_moment)
            loss = learner.train(batches.training(shards["train"], recipe, place[1], seed), steady.step)
            learning = time.perf_counter() - started
            validation = batches.validation(shards["val"], recipe, place[1])
            few = list(islice(validation, math.ceil(_CALIBRATED / recipe.training.batch_size)))
            figures = learner.validate(chain(few, validation))
        except FloatingPointError:
            rate = f"training.learning_rate ({recipe.training.learning_rate:g})"
            mend = f"go on from epoch {epoch - 1} with --resume and a lower {rate}" if history else f"lower {rate}"
            raise FloatingPointError(f"the loss is no number any more in epoch {epoch}: {mend}") from None
        images = steps * recipe.training.batch_size
        row = {"epoch": epoch, "loss": loss, **figures, "vivid_gain": _vivid_gain(learner, few, recipe)}
        row |= {"learning_rate": learner.rate(), "images_per_second": images / learning}
        history = [*history, {**row, "seconds": time.perf_counter() - started, "ended_at": time.time()}]
        if epoch == best_epoch(history):
            best = learner.weights()
        yield State(identity, history, learner.state(), best), partial(_samples, learner, few[0], recipe)


def best_epoch(history: History) -> int:
    """The first epoch with the lowest validation loss."""
    return int(min(history, key=lambda row: row["val_loss"])["epoch"])


def is_over(history: History, patience: int | None) -> bool:
    """Whether the last ``patience`` epochs brought nothing better."""
    return bool(history) and patience is not None and history[-1]["epoch"] - best_epoch(history) >= patience


def write_history(history: History) -> bytes:
    """CSV with one row per epoch, columns ``HISTORY``."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, HISTORY)
    writer.writeheader()
    writer.writerows(history)
    return file.getvalue().encode()


def _keep(folder: str, state: State, recipe: Recipe) -> OSError | None:
    try:
        checkpoints.save(folder, state, recipe.training.keep)
    except OSError as error:
        return OSError(f"the checkpoint of epoch {state.epoch} cannot be written ({one_line(error)}): {_MEND}")
    return None


def _keep_best(folder: str, state: State, recipe: Recipe) -> OSError | None:
    try:
        Package.of_state(state, recipe).write(folder)
    except OSError as error:
        return OSError(f"the weights cannot be written to {folder} ({one_line(error)}): {_MEND}")
    return None


def _vivid_gain(learner: Learner, few: list[batches.Batch], recipe: Recipe) -> float:
    """``saturation.vivid_gain`` on this worker's first validation images."""
    space = recipe.data.color_space
    inputs, targets = (np.concatenate(parts)[:_CALIBRATED] for parts in zip(*few, strict=True))
    with learner.averaged():
        said = np.concatenate([learner.predict(each) for each, _ in few])[:_CALIBRATED]
    lightness = pairs.to_lightness(inputs, space)
    return saturation.vivid_gain(lightness, pairs.to_ab(said, space), pairs.to_ab(targets, space))


def _samples(learner: Learner, batch: batches.Batch, recipe: Recipe) -> bytes:
    """PNG of the first images of a batch: gray, truth, colorized."""
    inputs, targets = (part[:_SAMPLES] for part in batch)
    said = learner.predict(inputs)
    factor = inputs.shape[1] // said.shape[1]
    made = said.repeat(factor, axis=1).repeat(factor, axis=2)
    rows: list[list[NDArray[np.uint8]]] = []
    for i in range(len(inputs)):
        nothing = np.zeros_like(targets[i]) if recipe.data.color_space == "lab" else inputs[i].repeat(3, axis=-1)
        rows.append(
            [pairs.from_pair(inputs[i], colors, recipe.data.color_space) for colors in (nothing, targets[i], made[i])]
        )
    return contact_sheet.grid([[png.encode(image) for image in row] for row in rows])
