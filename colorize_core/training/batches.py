"""Batches of pairs for one worker, from its shard of the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from colorize_core.color import CHANNELS, Floats, Halves
from colorize_core.models import classes
from colorize_core.preprocessing import pairs
from colorize_core.recipes import Recipe
from colorize_core.training import augmentation

if TYPE_CHECKING:
    import ray.data
    import tensorflow as tf

_SHUFFLE_BATCHES = 16  # batches that are shuffled together


class Batch(NamedTuple):
    """A batch of pairs, as arrays or as tensors.

    Attributes:
        inputs: gray or L, float32 [n, h, w, 1].
        targets: colors, float32 [n, h, w, 2 or 3].
    """

    inputs: Floats | tf.Tensor
    targets: Floats | tf.Tensor


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
            yield Batch(*augmentation.augment(inputs, targets, rng, data))

    shape = (batch_size, data.crop, data.crop)
    channels = CHANNELS[data.color_space]
    signature = Batch(tf.TensorSpec((*shape, 1), tf.float32), tf.TensorSpec((*shape, channels), tf.float32))
    return iter(tf.data.Dataset.from_generator(augmented, output_signature=signature).prefetch(4))


def validation(shard: ray.data.DataIterator, recipe: Recipe, workers: int) -> Iterator[Batch]:
    """Yields whole squares at ``recipe.square_side``, the scale of inference, without augmentation."""
    for inputs, targets in _batches(shard, max(1, recipe.training.batch_size // workers)):
        yield Batch(*pairs.resize_pairs(inputs, targets, recipe.square_side))


def class_weights(shard: ray.data.DataIterator, recipe: Recipe) -> Floats | None:
    """Returns weights of the classes of ab [Q] by their frequency; None if the recipe's model has no classes.

    Counts every second pixel of every second row.
    """
    if not recipe.has_classes:
        return None
    step = recipe.training.ab_step
    counts = np.zeros(len(classes.ab_bins(step)), np.int64)
    for batch in shard.iter_batches(batch_size=256, batch_format="numpy"):
        counts += classes.count_bins(pairs.denormalize_ab(batch["target"][:, ::2, ::2].astype(np.float32)), step)
    return classes.class_weights(counts, step=step)


def _batches(shard: ray.data.DataIterator, batch_size: int, **options: bool | int) -> Iterator[tuple[Halves, Halves]]:
    """Yields inputs and targets [n, S, S, c] as they are stored. ``options`` are those of ``iter_batches``."""
    for batch in shard.iter_batches(batch_size=batch_size, batch_format="numpy", **options):
        yield batch["input"], batch["target"]
