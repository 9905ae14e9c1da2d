"""Data-parallel training on Ray Train: data set -> pairs -> workers -> model bundle.

Each worker is a process that imports TensorFlow, since it trains. The first worker also builds and checks the recipe's
model while the photographs are read, and saves and converts the best weights at the end. No other process imports
TensorFlow: the driver checks settings against the source of the model's builder, Ray's controller starts and replaces
workers, and the tasks of Ray Data read photographs and measure with ONNX Runtime.
"""

from __future__ import annotations

from dataclasses import dataclass

from colorize_core import bundle, datasets, storage
from colorize_core.errors import RecipeError, printable
from colorize_core.evaluation.row_sources import RayRows
from colorize_core.evaluation.survey import survey
from colorize_core.recipes import Recipe
from colorize_core.runtime import cluster, placement
from colorize_core.training import checkpoints, model_check, pair_splits
from colorize_core.training.bundle_writer import TrainedNetwork, check_output, write_bundle
from colorize_core.training.packaging import NetworkPackage
from colorize_core.training.progress import OnEpoch, TrainingProgress
from colorize_core.training.throughput import OnProgress, ignore_progress
from colorize_core.training.workers import TrainingWorkers, WorkerResources, Workers

SCRATCH = "_training"  # folder in OUTPUT for the checkpoints of an unfinished training
_ONE_WORKER = Workers()
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
    recipe: Recipe,
    data: str,
    output: str,
    *,
    workers: Workers = _ONE_WORKER,
    resume: bool = False,
    note: str = "",
    on_epoch: OnEpoch = lambda row: None,
    on_progress: OnProgress = ignore_progress,
) -> TrainingRun:
    """Trains a recipe on a data set and writes a model bundle.

    Trains on split ``train``, keeps the epoch with the lowest loss on split ``val``, and measures that epoch once on
    split ``test``. Runs on the cluster that ``cluster.connected`` finds. A checkpoint per epoch stays in ``output``
    until the bundle is written.

    Args:
        recipe: what to train.
        data: ``DATASET:SOURCE``, such as ``folder:/photographs``, or a folder that ``prepare`` made.
        output: folder for the bundle, local or a URL.
        workers: number of worker processes, which share each global batch, and whether they use GPUs.
        resume: continue from the last checkpoint in ``output``, if there is one.
        note: a sentence on the data for the model card.
        on_epoch: called with each history row, also with the rows from before ``resume``.
        on_progress: called every few seconds within an epoch.

    Returns:
        The bundle, its folder, and the images that were left out.

    Raises:
        UserError: the data, the recipe or the output folder is wrong; nothing was written.
        ColorizeError: training failed; ``output`` holds no new bundle.

    Example:
        >>> recipe = load_recipe("unet-lab", {"training.epochs": 10})
        >>> train(recipe, "folder:/photographs", "my-bundle").bundle.metrics["images"]
        120
    """
    if recipe.training.batch_size % workers.number:
        raise RecipeError(
            f"training.batch_size {recipe.training.batch_size} does not divide over {workers.number} workers"
        )
    model_check.check_settings(recipe)
    cluster.check_lasting(output)
    scratch = storage.join(storage.absolute(output), SCRATCH)
    with cluster.connected() as resources, cluster.explained("training failed"):
        reading = placement.beside_workers(resources)
        rows = pair_splits.read_splits(data, reading)
        check_output(output, datasets.source_of(data), SCRATCH, resume)
        worker_resources = WorkerResources.on_cluster(workers, resources)
        progress = TrainingProgress(scratch, on_epoch, on_progress)
        try:
            with TrainingWorkers(recipe, scratch, worker_resources, progress) as running:
                running.wait_until_started(_START_TIMEOUT)
                test_survey = survey(RayRows.read(rows["test"], reading), "test")
                splits = {"val": pair_splits.load_split(rows["val"], recipe, reading)}
                running.check_model(wait_after=_CHECK_AFTER)
                splits["train"] = pair_splits.load_split(rows["train"], recipe, reading)
                running.check_model()
                history = running.run(splits)
        except BaseException:
            if not checkpoints.load_newest(scratch):
                storage.remove_if_there(scratch)  # there is nothing to resume
            raise
        facts = {
            "data": printable(data),
            "note": printable(note),
            **pair_splits.facts_of(splits),
            "fingerprint": splits["train"].fingerprint,
            "workers": workers.number,
            "gpu": worker_resources.use_gpu,
        }
        package = NetworkPackage.read(scratch)
        trained = TrainedNetwork(recipe, package, history, facts)
        written = write_bundle(trained, RayRows.read(rows["test"]), test_survey, output)
        storage.remove(scratch)
    return TrainingRun(written, output, pair_splits.rejected_of(splits), package.failure)
