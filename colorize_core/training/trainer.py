"""Data-parallel training on Ray Train: data set -> pairs -> workers -> model bundle."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from colorize_core import bundle, cluster, datasets, models, storage
from colorize_core.datasets.splits import SPLITS, SplitRule
from colorize_core.errors import InputError, OutputError, RecipeError, one_line
from colorize_core.evaluation import report, score
from colorize_core.recipes import Recipe
from colorize_core.training import curves, pairs
from colorize_core.training.loop import train_worker, write_history

if TYPE_CHECKING:
    import ray.data

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


@dataclass(frozen=True)
class _Split:
    """Pairs of one split, held in the object store since each epoch reads them, and why which images were left out."""

    pairs: ray.data.Dataset
    images: int
    rejected: list[str]


@dataclass(frozen=True)
class _Fitted:
    """The weights of the best epoch (content of ``model.keras``), and a history row per epoch."""

    weights: bytes
    best_epoch: int
    history: list[dict[str, float]]


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
        data: as in ``folder:/photographs``, or a folder that ``prepare`` made.
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
    cluster.check_lasting(output)
    with cluster.connected() as resources, cluster.explained("training failed"):
        rows = {split: datasets.read(data, SplitRule(wanted=[split])) for split in SPLITS}
        _check_output(output, datasets.source_of(data))
        workers = _workers(num_workers, use_gpu, resources)
        _check_model(recipe)
        sample_ids = score.choose_samples(rows["test"])
        splits = {split: _split(rows[split], recipe) for split in ("train", "val")}
        fitted = _fit(recipe, splits, storage.join(storage.absolute(output), _SCRATCH), workers, on_epoch)
        rejected = [reason for split in splits.values() for reason in split.rejected]
        facts = {
            "data": data,
            "note": note,
            "images": {name: split.images for name, split in splits.items()},
            "rejected": len(rejected),
            "fingerprint": pairs.fingerprint(splits["train"].pairs),
            "workers": workers.number,
            "gpu": workers.use_gpu,
            "epochs": len(fitted.history),
            "best_epoch": fitted.best_epoch,
            "minutes": round(sum(row["seconds"] for row in fitted.history) / 60, 1),
        }
        made = bundle.Bundle.create(recipe, fitted.weights, facts)
        scores = score.score(made, rows["test"], sample_ids)
        made = made.with_metrics(scores.summary())
        extras = {
            "history.csv": write_history(fitted.history),
            "curves.png": curves.draw(fitted.history),
            "samples.png": report.grid(scores.samples),
        }
        made.save(output, extras)
    return TrainingRun(made, output, rejected)


def _check_output(output: str, source: str) -> None:
    if storage.is_inside(output, source):
        raise OutputError(
            f"OUTPUT {output} lies inside DATA {source}: the next training would take the bundle's pictures for "
            "photographs; choose a place beside it"
        )
    ours = storage.exists(storage.join(output, bundle.FACTS)) or storage.is_folder(storage.join(output, _SCRATCH))
    if not ours and not storage.is_empty(output):
        raise OutputError(f"OUTPUT {output} holds files that colorize did not make: choose a new or an empty folder")
    storage.check_writable(output)


def _workers(number: int, use_gpu: bool | None, resources: cluster.Resources) -> Workers:
    workers = Workers(number, resources.gpus >= 1 if use_gpu is None else use_gpu)
    available = resources.gpus if workers.use_gpu else resources.cpus
    if number > available:
        kind = "GPUs" if workers.use_gpu else "CPUs"
        raise RecipeError(f"--num-workers {number} need as many {kind}, the cluster has {available:.0f}")
    return workers


def _check_model(recipe: Recipe) -> None:
    """Runs the model once, in a task: TensorFlow in this process would take the memory of its GPU."""
    import ray

    def attempt(recipe: Recipe) -> str:
        sides = {recipe.data.crop, recipe.data.inference_side}
        if not recipe.model.square:  # photographs of other shapes are seen at any multiple
            sides |= {recipe.model.multiple * steps for steps in (1, 3, 5)}
        for side in sorted(sides):
            try:
                model = models.build(recipe.model.name, recipe.model.settings, recipe.data.color_space)
                model(np.zeros((1, side, side, 1), np.float32))
            except Exception as error:  # Keras raises whatever its layers do
                return f"images of {side} pixels: {one_line(error)}"
        return ""

    if wrong := ray.get(ray.remote(attempt).remote(recipe)):
        raise RecipeError(f"model {recipe.model.name} cannot be built for {wrong}")


def _split(rows: ray.data.Dataset, recipe: Recipe) -> _Split:
    from ray.data.expressions import col

    settings = {"size": recipe.data.size, "gray": recipe.data.gray, "color_space": recipe.data.color_space}
    made = rows.map_batches(pairs.pair_batch, batch_size=32, fn_kwargs=settings).materialize()
    bad = made.select_columns(["id", "reason", "message"]).filter(expr=col("reason") != "").take_all()
    rejected = [f"{row['id']}: {row['reason']}: {row['message']}" for row in bad]
    readable = made.filter(expr=col("reason") == "").materialize() if rejected else made
    return _Split(readable, readable.count(), rejected)


def _fit(recipe: Recipe, splits: Mapping[str, _Split], scratch: str, workers: Workers, on_epoch: OnEpoch) -> _Fitted:
    """Runs the workers; what they leave in ``scratch`` is removed, however they end."""
    from ray.train import CheckpointConfig, RunConfig, ScalingConfig

    with cluster.native_stderr_silenced():  # imports TensorFlow, which greets
        from ray.train.tensorflow import TensorflowTrainer

    images = {name: split.images for name, split in splits.items()}
    steps = images["train"] // recipe.training.batch_size
    if not steps or images["val"] < workers.number:
        raise InputError(
            f"DATA has {images['train']} images to learn from and {images['val']} to validate on: need at least "
            f"{recipe.training.batch_size} (training.batch_size) and {workers.number} (--num-workers)"
        )
    with _Progress(on_epoch) as progress:
        trainer = TensorflowTrainer(
            train_worker,
            train_loop_config={"recipe": recipe.model_dump(), "steps": steps, "progress": progress.queue},
            scaling_config=ScalingConfig(num_workers=workers.number, use_gpu=workers.use_gpu),
            run_config=RunConfig(
                name="checkpoints",
                storage_path=scratch,
                checkpoint_config=CheckpointConfig(
                    num_to_keep=1, checkpoint_score_attribute="val_loss", checkpoint_score_order="min"
                ),
            ),
            datasets={name: split.pairs for name, split in splits.items()},
        )
        if storage.exists(scratch):  # Ray Train would take what a killed run left there for its own
            storage.remove(scratch)
        try:
            with cluster.own_signals():
                result = trainer.fit()
            checkpoint, best = min(result.best_checkpoints, key=lambda pair: pair[1]["val_loss"])
            with checkpoint.as_directory() as folder:
                weights = storage.read(os.path.join(folder, "model.keras"))
        finally:
            if storage.exists(scratch):
                storage.remove(scratch)
    return _Fitted(weights, int(best["epoch"]), progress.history)


class _Progress:
    """Takes history rows from the workers while they train, and hands each on; a context manager."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        from ray.util.queue import Queue

        self.queue = Queue(actor_options={"num_cpus": 0})
        self.history: list[dict[str, float]] = []
        self._on_epoch = on_epoch
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> _Progress:
        self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.queue.put(None)
        self._listener.join(timeout=10)
        self.queue.shutdown()

    def _listen(self) -> None:
        while (row := self.queue.get()) is not None:
            self.history.append(row)
            self._on_epoch(row)
