"""Hyperparameter search on Ray Tune: trials start together, and the better ones continue to the last epoch.

Processes that import TensorFlow: one per trial, which checks its model and trains it; and one at the end, which saves
and converts the weights of the best trial. The driver, Ray Tune's controller and the tasks that read or measure
photographs do not import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from colorize_core import bundle, datasets, storage
from colorize_core.errors import ColorizeError
from colorize_core.evaluation.row_sources import RayRows
from colorize_core.evaluation.survey import survey
from colorize_core.networks.packing import NetworkPackage
from colorize_core.recipes import Recipe, with_settings
from colorize_core.runtime import cluster, placement
from colorize_core.training import checkpoints, curves, model_check, pair_splits
from colorize_core.training.bundle_writer import TrainedNetwork, check_output, training_facts, write_bundle
from colorize_core.training.checkpoints import State
from colorize_core.training.config import TuneConfig
from colorize_core.training.packaging import pack_best
from colorize_core.training.search import OnTrial, run_trials
from colorize_core.training.search_plan import SearchPlan
from colorize_core.training.trials import Trial, to_csv

SCRATCH = "_tuning"  # folder in OUTPUT for the checkpoints of an unfinished search


@dataclass(frozen=True)
class TuningRun:
    """Result of ``tune``.

    Attributes:
        trials: all trials, the best first.
        bundle: the bundle of the best trial.
        output: folder of the bundle.
        not_converted: why the bundle has no ONNX file; '' if it has one.
    """

    trials: list[Trial]
    bundle: bundle.Bundle
    output: str
    not_converted: str


def tune(config: TuneConfig, *, on_trial: OnTrial = lambda number, progress: None) -> TuningRun:
    """Tries settings of a recipe, and writes the bundle of the best trial with a table and a plot of all trials.

    Trials are compared by the mean squared error on split ``val``, whatever their loss; the best one is measured on
    split ``test``. Runs on the cluster that ``cluster.connected`` finds, as many trials at a time as it has CPUs or
    GPUs.

    Args:
        config: what to train, which settings to try, on which data, and where to write the bundle.
        on_trial: called with the number of a trial, from 0 on, and its history so far; within an epoch with a
            ``StepProgress`` instead.

    Returns:
        All trials, the best first, and the bundle of the best one.

    Raises:
        UserError: the data, a recipe or the output folder cannot be used; nothing was written.
        ColorizeError: no trial could be trained.

    Example:
        >>> space = SearchSpace({"training.learning_rate": {"min": 0.0003, "max": 0.01, "log": True}})
        >>> run = tune(TuneConfig(load_recipe("unet-lab"), "folder:/photographs", "my-bundle", space))
        >>> run.trials[0].settings
        {'training.learning_rate': 0.002113}
    """
    recipe, output = config.recipe, config.output
    cluster.check_lasting(output)
    scratch = storage.join(storage.absolute(output), SCRATCH)
    with cluster.connected() as resources, cluster.explained("tuning failed"):
        reading = placement.beside_workers(resources)
        rows = pair_splits.read_splits(config.data, reading)
        check_output(output, datasets.source_of(config.data), SCRATCH, config.resume)
        test_survey = survey(RayRows.read(rows["test"]), "test")
        splits = {split: pair_splits.load_split(rows[split], recipe, reading) for split in ("train", "val")}
        pair_splits.count_steps(recipe, splits, 1)
        use_gpu = resources.gpus >= 1 if config.use_gpu is None else config.use_gpu
        recipe = model_check.with_absolute_paths(recipe)
        plan = SearchPlan(recipe, config.trial_settings, scratch, splits["train"].fingerprint, use_gpu)
        plan.check()
        trials = _run_all(plan, splits, on_trial)
        facts = training_facts(config, splits, workers=1, use_gpu=use_gpu)
        trained = _package_best(config, plan, trials, facts)
        written = write_bundle(trained, RayRows.read(rows["val"]), RayRows.read(rows["test"]), test_survey, output)
        storage.remove(scratch)
    return TuningRun(trials, written, output, trained.package.failure)


def _run_all(plan: SearchPlan, splits: Mapping[str, pair_splits.Split], on_trial: OnTrial) -> list[Trial]:
    """Runs all trials, and returns them, the best first. Repeats lost trials until none of those ends another epoch."""
    pairs = {name: split.pairs for name, split in splits.items()}
    while True:
        epochs_before = plan.epochs()
        lost = run_trials(plan, pairs, splits["train"].images, on_trial)
        epochs = plan.epochs()
        # Spot machines may be taken away as often as they like if epochs are finished in between.
        if all(epochs[number] == epochs_before[number] for number in lost):
            break
    ended = [plan.trial(number, lost.get(number, "")) for number in range(len(plan.trial_settings))]
    return sorted(ended, key=lambda trial: (bool(trial.failure), trial.val_mse))


def _package_best(
    config: TuneConfig, plan: SearchPlan, trials: list[Trial], facts: Mapping[str, Any]
) -> TrainedNetwork:
    """Packages the network of the best trial, with the table and the plot of all trials.

    Args:
        config: the settings of the search.
        plan: the folders of the trials.
        trials: all trials, the best first.
        facts: facts on the data, for the bundle's ``training`` section.

    Raises:
        ColorizeError: no trial could be trained.
    """
    import ray

    best = trials[0]
    state = checkpoints.load_newest(plan.folder(best.number))
    if best.failure or state is None:
        first = min(trials, key=lambda trial: trial.number)
        raise ColorizeError(_failure_of_all(len(trials), first.failure))
    recipe = with_settings(config.recipe, best.settings)
    # The best trial is known only when all have ended. A conversion takes longer than an epoch of a small trial, so
    # only the best trial's network is packaged, in a process of its own.
    package = ray.get(ray.remote(_package).remote(state, recipe))
    extra_files = {
        "trials.csv": to_csv(trials),
        "trials.png": curves.draw_trials({trial.number: trial.history for trial in trials}),
    }
    tuned = {"trials": len(trials), "settings": dict(best.settings)}
    return TrainedNetwork(recipe, package, state.history, {**facts, "tuned": tuned}, extra_files)


def _failure_of_all(trials: int, first: str) -> str:
    """Returns the message for a search in which every trial failed; ``first`` is the failure of the first trial."""
    if trials == 1:
        return f"the trial could not be trained: {first}"
    return f"none of the {trials} trials could be trained; the first failed with: {first}"


def _package(state: State, recipe: Recipe) -> NetworkPackage:
    """Packages the weights of the best trial. Runs as a Ray task without a GPU, though Ray leaves GPUs visible."""
    placement.hide_gpus()
    return pack_best(state, recipe)
