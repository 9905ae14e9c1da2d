"""Data-parallel training on Ray Train: data set -> pairs -> workers -> model bundle."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorize_core import bundle, cluster, datasets, storage
from colorize_core.errors import ColorizeError, InputError, RecipeError
from colorize_core.evaluation import report, score
from colorize_core.recipes import Recipe
from colorize_core.training import curves, pairs
from colorize_core.training.loop import train_worker, write_history

if TYPE_CHECKING:
    import ray.data
    from ray.train import Result

_SCRATCH = "_training"  # folder in OUTPUT for the checkpoints of a run that goes on
OnEpoch = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class TrainingRun:
    """What ``train`` did, for the screen."""

    bundle: bundle.Bundle
    output: str
    images: dict[str, int]
    rejected: list[str]
    seconds: float


def train(
    recipe: Recipe,
    data: str,
    output: str,
    *,
    num_workers: int = 1,
    use_gpu: bool = False,
    note: str = "",
    on_epoch: OnEpoch = lambda row: None,
) -> TrainingRun:
    """Trains a recipe on ``DATASET:SOURCE`` and leaves a model bundle in ``output``.

    Ray must have been initialized. Photographs of split ``train`` are learned from, ``val`` chooses the epoch to keep,
    and ``test`` is measured once, at the end.

    Raises:
        UserError: the data, the recipe or the place is wrong; nothing was written.
        ColorizeError: training failed; ``output`` holds no bundle.
    """
    if recipe.training.batch_size % num_workers:
        raise RecipeError(
            f"training.batch_size {recipe.training.batch_size} does not divide over {num_workers} workers"
        )
    storage.check_writable(output)
    scratch = storage.join(storage.absolute(output), _SCRATCH)
    if storage.exists(scratch):  # Ray Train would take what a broken run left there for its own
        storage.remove(scratch)
    started = time.monotonic()
    train_pairs, train_rejects = _pairs(data, "train", recipe)
    val_pairs, val_rejects = _pairs(data, "val", recipe)
    images = {"train": train_pairs.count(), "val": val_pairs.count()}
    steps = images["train"] // recipe.training.batch_size
    if not steps or images["val"] < num_workers:
        raise InputError(
            f"{data} has {images['train']} images to learn from and {images['val']} to validate on: need at least "
            f"{recipe.training.batch_size} (training.batch_size) and {num_workers} (--num-workers)"
        )
    result, history = _fit(
        recipe, {"train": train_pairs, "val": val_pairs}, scratch, steps, num_workers, use_gpu, on_epoch
    )
    checkpoint, best = min(result.best_checkpoints, key=lambda pair: pair[1]["val_loss"])
    with checkpoint.as_directory() as folder:
        weights = storage.read(os.path.join(folder, "model.keras"))
    made = bundle.Bundle.create(
        recipe,
        weights,
        training={
            "data": data,
            "note": note,
            "images": images,
            "rejected": len(train_rejects) + len(val_rejects),
            "fingerprint": pairs.fingerprint(train_pairs),
            "workers": num_workers,
            "gpu": use_gpu,
            "epochs": len(history),
            "best_epoch": int(best["epoch"]),
            "minutes": round(sum(row["seconds"] for row in history) / 60, 1),
        },
    )
    # The pairs are no longer needed: let the object store have their room for the test images.
    del train_pairs, val_pairs
    scores = score.score(made, data, "test")
    made = made.with_metrics(scores.summary())
    made.save(
        output,
        extras={
            "history.csv": write_history(history),
            "curves.png": curves.draw(history),
            "samples.png": report.grid(scores.samples),
        },
    )
    storage.remove(scratch)
    return TrainingRun(made, output, images, train_rejects + val_rejects, time.monotonic() - started)


def _pairs(data: str, split: str, recipe: Recipe) -> tuple[ray.data.Dataset, list[str]]:
    """Training pairs of one split, held in the object store (each epoch reads them again), and what was rejected."""
    from ray.data.expressions import col

    rows = datasets.read(data, [split]).map_batches(
        pairs.pair_batch,
        batch_size=32,
        fn_kwargs={"size": recipe.data.size, "gray": recipe.data.gray},
    )
    rows = rows.materialize()
    rejected = [row["reason"] for row in rows.select_columns("reason").filter(expr=col("reason") != "").take_all()]
    return (rows.filter(expr=col("reason") == "").materialize() if rejected else rows), rejected


def _fit(
    recipe: Recipe,
    shards: dict[str, ray.data.Dataset],
    scratch: str,
    steps: int,
    num_workers: int,
    use_gpu: bool,
    on_epoch: OnEpoch,
) -> tuple[Result, list[dict[str, float]]]:
    """Runs the workers; gives Ray's result and a history row per epoch."""
    from ray.train import CheckpointConfig, RunConfig, ScalingConfig

    with cluster.native_stderr_silenced():  # imports TensorFlow, which greets
        from ray.train.tensorflow import TensorflowTrainer
    from ray.util.queue import Queue

    progress = Queue(actor_options={"num_cpus": 0})
    history: list[dict[str, float]] = []

    def listen() -> None:
        while (row := progress.get()) is not None:
            history.append(row)
            on_epoch(row)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    trainer = TensorflowTrainer(
        train_worker,
        train_loop_config={"recipe": recipe.model_dump(), "steps": steps, "progress": progress},
        scaling_config=ScalingConfig(num_workers=num_workers, use_gpu=use_gpu),
        run_config=RunConfig(
            name="checkpoints",
            storage_path=scratch,
            checkpoint_config=CheckpointConfig(
                num_to_keep=1, checkpoint_score_attribute="val_loss", checkpoint_score_order="min"
            ),
        ),
        datasets=dict(shards),
    )
    try:
        return trainer.fit(), history
    except Exception as error:
        raise ColorizeError(f"training failed: {_innermost(error)}") from error
    finally:
        progress.put(None)
        listener.join(timeout=10)
        progress.shutdown()


def _innermost(error: BaseException) -> str:
    """The worker's own words, out of the wrappers that Ray puts around them."""
    failures = getattr(error, "worker_failures", None)
    if failures:
        return _innermost(next(iter(failures.values())))
    cause = getattr(error, "cause", None) or error.__cause__
    if isinstance(cause, BaseException):
        return _innermost(cause)
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
