"""The training loop of one worker: train, validate, keep the best weights, epoch by epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from colorize_core.evaluation import saturation
from colorize_core.images import contact_sheet, png
from colorize_core.preprocessing import pairs
from colorize_core.recipes import Recipe
from colorize_core.training import batches
from colorize_core.training.checkpoints import Arrays, State
from colorize_core.training.history import History, HistoryRow, should_stop_early
from colorize_core.training.throughput import OnProgress, ThroughputMeter, ignore_progress

if TYPE_CHECKING:
    import ray.data

    from colorize_core.training.learner import Learner

_SAMPLES = 8
_CALIBRATION_IMAGES = 256  # validation images on which the vivid gain is measured
_ODDS_IMAGES = 64  # validation images on which odds are chosen: 32 odds take 13 s at 128 pixels


@dataclass(frozen=True)
class EpochPlan:
    """Settings of the epochs of one worker.

    Attributes:
        recipe: what to train.
        steps: number of steps in an epoch.
        identity: digest of recipe and data, which is stored in each state.
        rank: number of this worker, from 0 on.
        workers: number of all workers.
    """

    recipe: Recipe
    steps: int
    identity: str
    rank: int = 0
    workers: int = 1


def train_epochs(
    learner: Learner,
    shards: Mapping[str, ray.data.DataIterator],
    plan: EpochPlan,
    state: State | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Iterator[tuple[State, Callable[[], bytes]]]:
    """Trains epoch by epoch; yields the state after each, and a function that draws a few validation images as PNG.

    Args:
        learner: this worker's replica, after ``Learner.plan``.
        shards: this worker's ``train`` and ``val`` pairs.
        plan: number of steps, and the worker's place among the others.
        state: the checkpoint to resume; None to begin at epoch 1.
        on_progress: called every few seconds within an epoch.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    recipe = plan.recipe
    history: History = list(state.history) if state else []
    best: Arrays = dict(state.best) if state else {}
    if state:
        learner.restore(state.arrays)
    while len(history) < recipe.training.epochs and not should_stop_early(history, recipe.training.patience):
        epoch, started = len(history) + 1, time.perf_counter()
        try:
            seed = [recipe.training.seed, epoch, plan.rank]
            meter = ThroughputMeter(epoch, plan.steps, recipe.training.batch_size, on_progress)
            loss = learner.train(batches.training(shards["train"], recipe, plan.workers, seed), meter.step)
            training_seconds = time.perf_counter() - started
            validation = batches.validation(shards["val"], recipe, plan.workers)
            first_batches = list(islice(validation, math.ceil(_CALIBRATION_IMAGES / recipe.training.batch_size)))
            errors = learner.validate(chain(first_batches, validation))
        except FloatingPointError:
            rate = f"training.learning_rate ({recipe.training.learning_rate:g})"
            hint = f"continue after epoch {epoch - 1} with --resume and a lower {rate}" if history else f"lower {rate}"
            raise FloatingPointError(f"the loss is not a finite number in epoch {epoch}: {hint}") from None
        is_best = errors["val_loss"] < min((row.val_loss for row in history), default=math.inf)
        vivid = _measure_vivid(learner, first_batches, recipe, is_best=is_best)
        images = plan.steps * recipe.training.batch_size
        row = HistoryRow(
            epoch=epoch,
            loss=loss,
            **errors,
            vivid_gain=vivid.gain,
            vivid_over_gray=vivid.over_gray,
            learning_rate=learner.rate(),
            images_per_second=images / training_seconds,
            seconds=time.perf_counter() - started,
            ended_at=time.time(),
        )
        history = [*history, row]
        if is_best:
            best = learner.weights()
        new_state = State(plan.identity, history, learner.state(), best)
        yield new_state, partial(_draw_samples, learner, first_batches[0], recipe)


class _Vivid(NamedTuple):
    """The columns of the history on vivid colors."""

    gain: float
    over_gray: float | None


def _measure_vivid(learner: Learner, first_batches: list[batches.Batch], recipe: Recipe, *, is_best: bool) -> _Vivid:
    """Finds how colors become vivid on this worker's first validation images. For a class head it sets the odds."""
    space, has_head = recipe.data.color_space, recipe.model.class_head
    if has_head and not is_best:
        return _Vivid(1.0, None)
    most = _ODDS_IMAGES if has_head else _CALIBRATION_IMAGES
    inputs, targets = (np.concatenate(arrays)[:most] for arrays in zip(*first_batches, strict=True))
    lightness, truth = pairs.to_lightness(inputs, space), pairs.to_ab(targets, space)
    if has_head:
        with learner.averaged():
            logits, log_weights = learner.logits(inputs)
        chosen = saturation.choose_odds(lightness, logits, log_weights, truth, recipe.training.ab_step)
        learner.set_odds(chosen.faithful, chosen.vivid)
        return _Vivid(1.0, chosen.vivid_over_gray)
    with learner.averaged():
        predictions = np.concatenate([learner.predict(inputs) for inputs, _ in first_batches])[:most]
    return _Vivid(*saturation.vivid_gain(lightness, pairs.to_ab(predictions, space), truth))


def _draw_samples(learner: Learner, batch: batches.Batch, recipe: Recipe) -> bytes:
    """Returns a PNG with the first images of a batch in three columns: gray, truth, colorized."""
    space = recipe.data.color_space
    inputs, targets = (array[:_SAMPLES] for array in batch)
    predictions = learner.predict(inputs)[..., : targets.shape[-1]]
    factor = inputs.shape[1] // predictions.shape[1]
    predictions = predictions.repeat(factor, axis=1).repeat(factor, axis=2)  # [n, h, w, c] at the inputs' resolution
    rows: list[list[NDArray[np.uint8]]] = []
    for i in range(len(inputs)):
        gray = np.zeros_like(targets[i]) if space == "lab" else inputs[i].repeat(3, axis=-1)
        rows.append([pairs.from_pair(inputs[i], colors, space) for colors in (gray, targets[i], predictions[i])])
    return contact_sheet.grid([[png.encode(image) for image in row] for row in rows])
