"""One training worker: the custom loop that Keras 3 needs under MultiWorkerMirroredStrategy.

``Model.fit`` fails there (keras#20585). Gradients are summed over the replicas, so each replica divides its loss by
their number.
"""

from __future__ import annotations

import csv
import io
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from colorize_core import models
from colorize_core.recipes import Recipe
from colorize_core.training import pairs

if TYPE_CHECKING:
    import ray.data
    import tensorflow as tf

HISTORY = ("epoch", "loss", "val_loss", "val_gray_loss", "learning_rate", "images_per_second", "seconds")


def train_worker(config: dict[str, Any]) -> None:
    """Trains this worker's replica; rank 0 leaves ``model.keras`` in a checkpoint per epoch.

    Args:
        config: ``recipe`` as a dict, ``steps`` per epoch, and ``progress``, a queue that takes a history row per epoch.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    import ray.train
    import tensorflow as tf

    context = ray.train.get_context()
    # Ray sets OMP_NUM_THREADS only, which TensorFlow's own pools do not read.
    tf.config.threading.set_intra_op_parallelism_threads(
        max(1, (os.cpu_count() or 1) // context.get_local_world_size())
    )
    recipe = Recipe.model_validate(config["recipe"])
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    trainer = _Replicas(recipe, strategy, config["steps"])
    train, val = ray.train.get_dataset_shard("train"), ray.train.get_dataset_shard("val")
    for epoch in range(1, recipe.training.epochs + 1):
        started = time.perf_counter()
        seed = [recipe.training.seed, epoch, context.get_world_rank()]
        loss = trainer.train(_training_batches(train, recipe, context.get_world_size(), seed))
        seconds = time.perf_counter() - started
        val_loss, val_gray_loss = trainer.validate(_validation_batches(val, recipe))
        images = config["steps"] * recipe.training.batch_size
        row = dict(
            zip(
                HISTORY,
                (epoch, loss, val_loss, val_gray_loss, trainer.rate(), images / seconds, seconds),
                strict=True,
            )
        )
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = None
            if context.get_world_rank() == 0:
                trainer.model.save(os.path.join(folder, "model.keras"))
                checkpoint = ray.train.Checkpoint.from_directory(folder)
                config["progress"].put(row)
            ray.train.report(row, checkpoint=checkpoint)


def write_history(history: list[dict[str, float]]) -> bytes:
    """CSV with one row per epoch, columns ``HISTORY``."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, HISTORY)
    writer.writeheader()
    writer.writerows(history)
    return file.getvalue().encode()


class _Replicas:
    """Model and optimizer mirrored over all workers, with their compiled steps."""

    def __init__(self, recipe: Recipe, strategy: tf.distribute.Strategy, steps: int) -> None:
        import keras
        import tensorflow as tf

        from colorize_core.training import losses

        settings = recipe.training
        keras.utils.set_random_seed(settings.seed)
        total = steps * settings.epochs
        warmup = int(total * settings.warmup)
        with strategy.scope():
            self.model = models.build(recipe.model.name, recipe.model.settings, recipe.data.color_space)
            self._optimizer = keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(
                    initial_learning_rate=0.0 if warmup else settings.learning_rate,
                    decay_steps=max(1, total - warmup),
                    warmup_target=settings.learning_rate if warmup else None,
                    warmup_steps=warmup,
                ),
                weight_decay=settings.weight_decay,
            )
            self._optimizer.build(self.model.trainable_variables)
        pixel_loss = losses.LOSSES[settings.loss]
        variables = self.model.trainable_variables

        def loss(target: tf.Tensor, prediction: tf.Tensor) -> tf.Tensor:
            return losses.weighted_mean(pixel_loss(target, prediction), target, settings.rebalance)

        def train_replica(inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                prediction = self.model(inputs, training=True)
                value = loss(losses.match_resolution(targets, prediction), prediction)
                scaled = value / strategy.num_replicas_in_sync
            self._optimizer.apply(tape.gradient(scaled, variables), variables)
            return scaled

        def validate_replica(inputs: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            prediction = self.model(inputs, training=False)
            target = losses.match_resolution(targets, prediction)
            copy = tf.repeat(inputs, 3, axis=-1) if recipe.data.color_space == "rgb" else tf.zeros_like(targets)
            gray = loss(target, losses.match_resolution(copy, prediction))
            return loss(target, prediction) / strategy.num_replicas_in_sync, gray / strategy.num_replicas_in_sync

        def over_replicas(step: Callable[..., Any]) -> Callable[..., Any]:
            def run(inputs: tf.Tensor, targets: tf.Tensor) -> Any:
                results = strategy.run(step, args=(inputs, targets))
                return tf.nest.map_structure(lambda r: strategy.reduce("SUM", r, axis=None), results)

            compiled: Callable[..., Any] = tf.function(run, reduce_retracing=True, autograph=False)
            return compiled

        self._train_step = over_replicas(train_replica)
        self._validate_step = over_replicas(validate_replica)

    def train(self, batches: Iterator[tuple[Any, Any]]) -> float:
        """One epoch; the mean loss over its batches."""
        values = [self._train_step(inputs, targets) for inputs, targets in batches]
        loss = float(np.mean([float(v) for v in values]))
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss became {loss}: lower training.learning_rate")
        return loss

    def validate(self, batches: Iterator[tuple[Any, Any]]) -> tuple[float, float]:
        """Mean loss over all validation images, of the model and of predicting gray."""
        sums, images = np.zeros(2), 0
        for inputs, targets in batches:
            sums += len(inputs) * np.array([float(v) for v in self._validate_step(inputs, targets)])
            images += len(inputs)
        return float(sums[0] / images), float(sums[1] / images)

    def rate(self) -> float:
        """The learning rate of the last step."""
        return float(self._optimizer.learning_rate)


def _batches(shard: ray.data.DataIterator, batch_size: int, **options: Any) -> Iterator[tuple[Any, Any]]:
    for batch in shard.iter_batches(batch_size=batch_size, batch_format="numpy", **options):
        yield batch["input"].astype(np.float32), batch["target"].astype(np.float32)


def _validation_batches(shard: ray.data.DataIterator, recipe: Recipe) -> Iterator[tuple[Any, Any]]:
    """Whole squares at the scale of inference: what the network sees must have the scale that it will see."""
    for inputs, targets in _batches(shard, recipe.training.batch_size):
        yield pairs.resize(inputs, targets, recipe.data.inference_side)


def _training_batches(
    shard: ray.data.DataIterator, recipe: Recipe, workers: int, seed: list[int]
) -> Iterator[tuple[Any, Any]]:
    """This worker's part of each global batch, shuffled and augmented; prefetched while the last one trains."""
    import tensorflow as tf

    data, batch_size = recipe.data, recipe.training.batch_size // workers
    rng = np.random.default_rng(seed)

    def augmented() -> Iterator[tuple[Any, Any]]:
        batches = _batches(
            shard,
            batch_size,
            drop_last=True,  # an uneven number of batches would leave the other workers waiting forever
            local_shuffle_buffer_size=16 * batch_size,
            local_shuffle_seed=int(rng.integers(2**31)),
        )
        for inputs, targets in batches:
            yield pairs.augment(inputs, targets, rng, crop=data.crop, min_scale=data.min_scale, flip=data.flip)

    shape = (batch_size, data.crop, data.crop)
    signature = tuple(
        tf.TensorSpec((*shape, channels), tf.float32) for channels in (1, 2 if data.color_space == "lab" else 3)
    )
    return iter(tf.data.Dataset.from_generator(augmented, output_signature=signature).prefetch(4))
