"""Hyperparameter search on Ray Tune: trials start together, and the better ones continue to the last epoch.

Processes that import TensorFlow: one per trial, which checks its model and trains it; and one at the end, which saves
and converts the weights of the best trial. The driver, Ray Tune's controller and the tasks that read or measure
photographs do not import TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass

from colorize_core import bundle, datasets, storage
from colorize_core.errors import ColorizeError, printable
from colorize_core.evaluation.row_sources import RayRows
from colorize_core.evaluation.survey import survey
from colorize_core.recipes import Recipe, with_settings
from colorize_core.runtime import cluster, placement
from colorize_core.training import checkpoints, curves, model_check, pair_splits
from colorize_core.training.bundle_writer import TrainedNetwork, check_output, write_bundle
from colorize_core.training.checkpoints import State
from colorize_core.training.packaging import NetworkPackage
from colorize_core.training.search import OnTrial, SearchPlan, run_trials
from colorize_core.training.search_space import SearchSpace
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


def tune(
    recipe: Recipe,
    data: str,
    output: str,
    space: SearchSpace,
    *,
    trials: int,
    use_gpu: bool | None = None,
    resume: bool = False,
    note: str = "",
    on_trial: OnTrial = lambda number, progress: None,
) -> TuningRun:
    """Tries settings of a recipe, and writes the bundle of the best trial with a table and a plot of all trials.

    Trials are compared by the mean squared error on split ``val``, whatever their loss; the best one is measured on
    split ``test``. Runs on the cluster that ``cluster.connected`` finds, as many trials at a time as it has CPUs or
    GPUs.

    Args:
        recipe: what to train; each trial replaces some of its settings.
        data: data set, as for ``trainer.train``.
        output: folder for the bundle, local or a URL.
        space: settings to try, each with values or a range.
        trials: number of trials.
        use_gpu: whether each trial has a GPU; None to use GPUs if the cluster has any.
        resume: continue the search in ``output``, if there is one.
        note: a sentence on the data for the model card.
        on_trial: called with the number of a trial, from 0 on, and its history so far; within an epoch with a
            ``StepProgress`` instead.

    Returns:
        All trials, the best first, and the bundle of the best one.

    Raises:
        UserError: the data, a recipe or the output folder is wrong; nothing was written.
        ColorizeError: no trial could be trained.

    Example:
        >>> space = SearchSpace.model_validate({"training.learning_rate": {"min": 0.0003, "max": 0.01, "log": True}})
        >>> run = tune(load_recipe("unet-lab"), "folder:/photographs", "my-bundle", space, trials=12)
        >>> run.trials[0].settings
        {'training.learning_rate': 0.002113}
    """
    import ray

    model_check.check_settings(recipe)
    cluster.check_lasting(output)
    drawn = space.draw(trials, recipe.training.seed)
    for settings in drawn:
        with_settings(recipe, settings)  # raises if the recipe does not take them
    scratch = storage.join(storage.absolute(output), SCRATCH)
    with cluster.connected() as resources, cluster.explained("tuning failed"):
        reading = placement.beside_workers(resources)
        rows = pair_splits.read_splits(data, reading)
        check_output(output, datasets.source_of(data), SCRATCH, resume)
        test_survey = survey(RayRows.read(rows["test"]), "test")
        splits = {split: pair_splits.load_split(rows[split], recipe, reading) for split in ("train", "val")}
        pair_splits.count_steps(recipe, splits, 1)
        fingerprint = splits["train"].fingerprint
        gpu = resources.gpus >= 1 if use_gpu is None else use_gpu
        plan = SearchPlan(model_check.with_absolute_paths(recipe), drawn, scratch, fingerprint, gpu)
        plan.check()
        done = _run_all(plan, splits, on_trial)
        best = done[0]
        state = checkpoints.load_newest(plan.folder(best.number))
        if best.failure or state is None:
            first = min(done, key=lambda trial: trial.number)
            raise ColorizeError(f"none of {trials} trials could be trained; the first: {first.failure}")
        tuned = with_settings(recipe, best.settings)
        facts = {
            "data": printable(data),
            "note": printable(note),
            **pair_splits.facts_of(splits),
            "fingerprint": fingerprint,
            "workers": 1,
            "gpu": gpu,
            "tuned": {"trials": trials, "settings": dict(best.settings)},
        }
        # The best trial is known only when all have ended. A conversion takes longer than an epoch of a small trial, so
        # only the best trial's network is packaged, in a process of its own.
        package = ray.get(ray.remote(_package).remote(state, tuned))
        extra_files = {
            "trials.csv": to_csv(done),
            "trials.png": curves.draw_trials({trial.number: trial.history for trial in done}),
        }
        trained = TrainedNetwork(tuned, package, state.history, facts, extra_files)
        written = write_bundle(trained, RayRows.read(rows["test"]), test_survey, output)
        storage.remove(scratch)
    return TuningRun(done, written, output, package.failure)


def _run_all(plan: SearchPlan, splits: dict[str, pair_splits.Split], on_trial: OnTrial) -> list[Trial]:
    """Runs all trials, and returns them, the best first. Repeats lost trials until none of those ends another epoch."""
    pairs = {name: split.pairs for name, split in splits.items()}
    while True:
        epochs_before = plan.epochs()
        lost = run_trials(plan, pairs, splits["train"].images, on_trial)
        epochs = plan.epochs()
        # Spot machines may be taken away as often as they like if epochs are finished in between.
        if all(epochs[number] == epochs_before[number] for number in lost):
            break
    ended = [plan.trial(number, lost.get(number, "")) for number in range(len(plan.drawn))]
    return sorted(ended, key=lambda trial: (bool(trial.failure), trial.val_mse))


def _package(state: State, recipe: Recipe) -> NetworkPackage:
    """Packages the weights of the best trial. Runs as a Ray task without a GPU, though Ray leaves GPUs visible."""
    placement.hide_gpus()
    return NetworkPackage.from_state(state, recipe)
