"""Data-parallel training on Ray Train: data set -> pairs -> workers -> model bundle.

Each worker is a process that imports TensorFlow, since it trains. The first worker also builds and checks the recipe's
model while the photographs are read, and saves and converts the best weights at the end. No other process imports
TensorFlow: the driver checks settings against the source of the model's builder, Ray's controller starts and replaces
workers, and the tasks of Ray Data read photographs and measure with ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorize_core import bundle, datasets, storage
from colorize_core.evaluation.row_sources import RayRows
from colorize_core.evaluation.survey import Survey, survey
from colorize_core.recipes import Recipe
from colorize_core.runtime import cluster, placement
from colorize_core.training import checkpoints, pair_splits
from colorize_core.training.bundle_writer import TrainedNetwork, check_output, training_facts, write_bundle
from colorize_core.training.config import TrainConfig
from colorize_core.training.history import History
from colorize_core.training.packaging import read_package
from colorize_core.training.progress import OnEpoch, TrainingProgress
from colorize_core.training.throughput import OnProgress, ignore_progress
from colorize_core.training.workers import TrainingWorkers, WorkerResources

if TYPE_CHECKING:
    import ray.data

SCRATCH = "_training"  # folder in OUTPUT for the checkpoints of an unfinished training
_START_TIMEOUT = 8.0  # seconds: the cluster may have to add machines for the workers
_CHECK_AFTER = 10.0  # seconds after the start of the workers: from then on, reading waits for the model check


@dataclass(frozen=True)
class TrainingRun:
    """Result of ``train``.

    Attributes:
        bundle: the bundle.
        output: folder of the bundle.
        rejected: "ID: REASON: MESSAGE" of each image that was left out.
        not_converted: why the bundle has no ONNX file; '' if it has one.
    """

    bundle: bundle.Bundle
    output: str
    rejected: list[str]
    not_converted: str


def train(
    config: TrainConfig,
    *,
    on_epoch: OnEpoch = lambda row: None,
    on_progress: OnProgress = ignore_progress,
) -> TrainingRun:
    """Trains a recipe on a data set and writes a model bundle.

    Trains on split ``train``, keeps the epoch with the lowest loss on split ``val``, and measures that epoch once on
    split ``test``. Runs on the cluster that ``cluster.connected`` finds. A checkpoint per epoch stays in ``output``
    until the bundle is written.

    Args:
        config: what to train, on which data, and where to write the bundle.
        on_epoch: called with each history row, also with the rows from before ``resume``.
        on_progress: called every few seconds within an epoch.

    Returns:
        The bundle, its folder, and the images that were left out.

    Raises:
        UserError: the data, the recipe or the output folder cannot be used; nothing was written.
        ColorizeError: training failed; ``output`` holds no new bundle.

    Example:
        >>> recipe = load_recipe("unet-lab", {"training.epochs": 10})
        >>> train(TrainConfig(recipe, "folder:/photographs", "my-bundle")).bundle.metrics["images"]
        120
    """
    output = config.output
    cluster.check_lasting(output)
    scratch = storage.join(storage.absolute(output), SCRATCH)
    with cluster.connected() as resources, cluster.explained("training failed"):
        reading = placement.beside_workers(resources)
        rows = pair_splits.read_splits(config.data, reading)
        check_output(output, datasets.source_of(config.data), SCRATCH, config.resume)
        worker_resources = WorkerResources.on_cluster(config.workers, resources)
        workers = TrainingWorkers(
            config.recipe, scratch, worker_resources, TrainingProgress(scratch, on_epoch, on_progress)
        )
        try:
            result = _train_while_reading(workers, config.recipe, rows, reading)
        except BaseException:
            if not checkpoints.load_newest(scratch):
                storage.remove_if_there(scratch)  # there is nothing to resume
            raise
        splits = result.splits
        facts = training_facts(config, splits, workers=config.workers.number, use_gpu=worker_resources.use_gpu)
        package = read_package(scratch)
        trained = TrainedNetwork(config.recipe, package, result.history, facts)
        written = write_bundle(
            trained, RayRows.read(rows["val"]), RayRows.read(rows["test"]), result.test_survey, output
        )
        storage.remove(scratch)
    return TrainingRun(written, output, pair_splits.rejected_of(splits), package.failure)


@dataclass(frozen=True)
class _Result:
    """The results of the workers: the splits, the survey of the test images, and the history."""

    splits: Mapping[str, pair_splits.Split]
    test_survey: Survey
    history: History


def _train_while_reading(
    workers: TrainingWorkers, recipe: Recipe, rows: Mapping[str, ray.data.Dataset], reading: placement.Reservation
) -> _Result:
    """Starts the workers, reads the photographs while the workers get ready, and waits for the end of the training.

    Args:
        workers: the workers, not started yet.
        recipe: what to train.
        rows: rows of each split, from ``pair_splits.read_splits``.
        reading: arguments of ``map_batches`` for the tasks that read, from ``placement.beside_workers``.
    """
    with workers as running:
        running.wait_until_started(_START_TIMEOUT)
        test_survey = survey(RayRows.read(rows["test"], reading), "test")
        splits = {"val": pair_splits.load_split(rows["val"], recipe, reading)}
        running.check_model(wait_after=_CHECK_AFTER)
        splits["train"] = pair_splits.load_split(rows["train"], recipe, reading)
        running.check_model()
        return _Result(splits, test_survey, running.run(splits))
