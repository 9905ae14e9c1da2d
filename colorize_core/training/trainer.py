"""Data-parallel training on Ray Train: data set -> pairs -> workers -> model bundle."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorize_core import bundle, cluster, datasets, storage
from colorize_core.errors import ColorizeError, InputError, RecipeError, UserError, one_line
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
class Workers:
    """How many processes train, and whether each has a GPU."""

    number: int
    use_gpu: bool


@dataclass(frozen=True)
class TrainingRun:
    """What ``train`` did: the bundle, where it is, and which images were left out, why."""

    bundle: bundle.Bundle
    output: str
    rejected: list[str]


def train(
    recipe: Recipe,
    data: str,
    output: str,
    *,
    num_workers: int = 1,
    use_gpu: bool | None = None,
    note: str = "",
    on_epoch: OnEpoch = lambda row: None,
) -> TrainingRun:
    """Trains a recipe on ``DATASET:SOURCE`` and leaves a model bundle in ``output``.

    Split ``train`` is learned from, ``val`` chooses the epoch to keep, ``test`` is measured once, at the end. Runs on
    the cluster that ``cluster.connected`` finds.

    Args:
        recipe: what to train.
        data: as in ``folder:/photographs``.
        output: folder for the bundle.
        num_workers: processes that share each global batch.
        use_gpu: a GPU per worker; None for where the cluster has one.
        note: a sentence on the data for the model card.
        on_epoch: called with each history row.

    Raises:
        UserError: the data, the recipe or the place is wrong; nothing was written.
        ColorizeError: training failed; ``output`` holds no new bundle.
    """
    if recipe.training.batch_size % num_workers:
        raise RecipeError(
            f"training.batch_size {recipe.training.batch_size} does not divide over {num_workers} workers"
        )
    with cluster.connected() as resources:
        rows = {split: datasets.read(data, [split]) for split in datasets.SPLITS}
        workers = Workers(num_workers, resources.gpus >= 1 if use_gpu is None else use_gpu)
        available = resources.gpus if workers.use_gpu else resources.cpus
        if num_workers > available:
            kind = "GPUs" if workers.use_gpu else "CPUs"
            raise RecipeError(f"--num-workers {num_workers} need as many {kind}, the cluster has {available:.0f}")
        storage.check_writable(output)
        scratch = storage.join(storage.absolute(output), _SCRATCH)
        if storage.exists(scratch):  # Ray Train would take what a broken run left there for its own
            storage.remove(scratch)
        made, history, rejected = _learn(recipe, data, rows["train"], rows["val"], scratch, workers, note, on_epoch)
        scores = score.score(made, rows["test"])
        made = made.with_metrics(scores.summary())
        extras = {
            "history.csv": write_history(history),
            "curves.png": curves.draw(history),
            "samples.png": report.grid(scores.samples),
        }
        made.save(output, extras)
        storage.remove(scratch)
    return TrainingRun(made, output, rejected)


def _learn(
    recipe: Recipe,
    data: str,
    train_rows: ray.data.Dataset,
    val_rows: ray.data.Dataset,
    scratch: str,
    workers: Workers,
    note: str,
    on_epoch: OnEpoch,
) -> tuple[bundle.Bundle, list[dict[str, float]], list[str]]:
    """The bundle with the best weights, a history row per epoch, and why which images were left out."""
    train_pairs, train_rejects = _pairs(train_rows, recipe)
    val_pairs, val_rejects = _pairs(val_rows, recipe)
    images = {"train": train_pairs.count(), "val": val_pairs.count()}
    steps = images["train"] // recipe.training.batch_size
    if not steps or images["val"] < workers.number:
        raise InputError(
            f"{data} has {images['train']} images to learn from and {images['val']} to validate on: need at least "
            f"{recipe.training.batch_size} (training.batch_size) and {workers.number} (--num-workers)"
        )
    shards = {"train": train_pairs, "val": val_pairs}
    result, history = _fit(recipe, shards, scratch, steps, workers, on_epoch)
    checkpoint, best = min(result.best_checkpoints, key=lambda pair: pair[1]["val_loss"])
    with checkpoint.as_directory() as folder:
        weights = storage.read(os.path.join(folder, "model.keras"))
    rejected = train_rejects + val_rejects
    facts = {
        "data": data,
        "note": note,
        "images": images,
        "rejected": len(rejected),
        "fingerprint": pairs.fingerprint(train_pairs),
        "workers": workers.number,
        "gpu": workers.use_gpu,
        "epochs": len(history),
        "best_epoch": int(best["epoch"]),
        "minutes": round(sum(row["seconds"] for row in history) / 60, 1),
    }
    return bundle.Bundle.create(recipe, weights, facts), history, rejected


def _pairs(rows: ray.data.Dataset, recipe: Recipe) -> tuple[ray.data.Dataset, list[str]]:
    """Pairs of the rows of one split, held in the object store since each epoch reads them, and what was rejected."""
    from ray.data.expressions import col

    settings = {"size": recipe.data.size, "gray": recipe.data.gray}
    made = rows.map_batches(pairs.pair_batch, batch_size=32, fn_kwargs=settings).materialize()
    rejected = [row["reason"] for row in made.select_columns("reason").filter(expr=col("reason") != "").take_all()]
    return (made.filter(expr=col("reason") == "").materialize() if rejected else made), rejected


def _fit(
    recipe: Recipe,
    shards: dict[str, ray.data.Dataset],
    scratch: str,
    steps: int,
    workers: Workers,
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
        scaling_config=ScalingConfig(num_workers=workers.number, use_gpu=workers.use_gpu),
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
        cause = cluster.root_cause(error)
        if isinstance(cause, UserError):
            raise cause from error
        raise ColorizeError(f"training failed: {one_line(cause)}") from error
    finally:
        progress.put(None)
        listener.join(timeout=10)
        progress.shutdown()
