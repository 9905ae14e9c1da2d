"""Batches of pairs for one worker, from its shard of the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from colorize_core.color import Floats
from colorize_core.models import classes
from colorize_core.preprocessing import pairs
from colorize_core.recipes import Recipe
from colorize_core.training import augmentation

if TYPE_CHECKING:
    import ray.data

_SHUFFLE_BATCHES = 16  # batches that are shuffled together
Batch = tuple[Any, Any]


def training(shard: ray.data.DataIterator, recipe: Recipe, workers: int, seed: list[int]) -> Iterator[Batch]:
    """Yields this worker's part of each global batch, shuffled and augmented. Prepares the next one during a step.

    The same seed gives the same batches: inputs float32 [n, crop, crop, 1] and targets [n, crop, crop, 2 or 3].
    """
    import tensorflow as tf

    data, batch_size = recipe.data, recipe.training.batch_size // workers
    rng = np.random.default_rng(seed)

    def augmented() -> Iterator[Batch]:
        batches = _batches(
            shard,
            batch_size,
            drop_last=True,  # with an uneven number of batches, the other workers would wait for ever
            local_shuffle_buffer_size=_SHUFFLE_BATCHES * batch_size,
            local_shuffle_seed=int(rng.integers(2**31)),
        )
        for inputs, targets in batches:
            yield augmentation.augment(inputs, targets, rng, data)

    shape = (batch_size, data.crop, data.crop)
    signature = tuple(
        tf.TensorSpec((*shape, channels), tf.float32) for channels in (1, 2 if data.color_space == "lab" else 3)
    )
    return iter(tf.data.Dataset.from_generator(augmented, output_signature=signature).prefetch(4))


def validation(shard: ray.data.DataIterator, recipe: Recipe, workers: int) -> Iterator[Batch]:
    """Yields whole squares at ``recipe.square_side``, the scale of inference, without augmentation."""
    for inputs, targets in _batches(shard, max(1, recipe.training.batch_size // workers)):
        yield pairs.resize_pairs(inputs, targets, recipe.square_side)


def class_weights(shard: ray.data.DataIterator, recipe: Recipe) -> Floats | None:
    """Returns weights of the classes of ab [Q] by their frequency; None if the loss has no classes.

    Counts every second pixel of every second row.
    """
    if recipe.training.loss != "ab-classification":
        return None
    step = recipe.training.ab_step
    counts = np.zeros(len(classes.ab_bins(step)), np.int64)
    for batch in shard.iter_batches(batch_size=256, batch_format="numpy"):
        counts += classes.count_bins(pairs.denormalize_ab(batch["target"][:, ::2, ::2].astype(np.float32)), step)
    return classes.class_weights(counts, step=step)


def _batches(shard: ray.data.DataIterator, batch_size: int, **options: Any) -> Iterator[Batch]:
    for batch in shard.iter_batches(batch_size=batch_size, batch_format="numpy", **options):
        yield batch["input"], batch["target"]
