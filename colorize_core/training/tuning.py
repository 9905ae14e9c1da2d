"""Search for the settings of a recipe on Ray Tune: trials that start together, of which the better half goes on.

The scheduler is ASHA (Li et al. 2020, arXiv:1810.05934). All settings are drawn from the seed before the first trial
starts, and each trial leaves a checkpoint per epoch: a search that was interrupted tells the scheduler again what its
trials reached, and goes on with what is left.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from colorize_core import bundle, cluster, datasets, storage
from colorize_core.datasets.splits import SPLITS, SplitRule
from colorize_core.errors import ColorizeError, InputError, RecipeError, one_line, printable
from colorize_core.evaluation.survey import survey
from colorize_core.recipes import Recipe, with_settings
from colorize_core.training import batches, checkpoints, curves, loop, trainer
from colorize_core.training.checkpoints import History
from colorize_core.training.progress import Listener
from colorize_core.training.space import Space

if TYPE_CHECKING:
    import ray.data
    from ray.util.queue import Queue

SCRATCH = "_tuning"  # folder in OUTPUT, until the bundle is there
_REDUCTION = 3  # of the trials that reach a rung, one in so many goes on
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Trial:
    """One draw of the settings, and how far it came.

    Attributes:
        number: from 0 on.
        settings: values by dotted name.
        history: a row per epoch.
        failure: why it could not be trained; '' where it could.
    """

    number: int
    settings: Settings
    history: History
    failure: str = ""

    @property
    def val_mse(self) -> float:
        """Mean squared error on the validation images in the epoch that is kept: what trials are compared by."""
        kept = loop.best_epoch(self.history) if self.history else None
        return next((row["val_mse"] for row in self.history if row["epoch"] == kept), float("inf"))


@dataclass(frozen=True)
class TuningRun:
    """What ``tune`` did: all trials, the best first, and the best one's bundle."""

    trials: list[Trial]
    bundle: bundle.Bundle
    output: str


OnTrial = Callable[[int, History], None]


def tune(
    recipe: Recipe,
    data: str,
    output: str,
    space: Space,
    *,
    trials: int,
    use_gpu: bool | None = None,
    resume: bool = False,
    note: str = "",
    on_epoch: OnTrial = lambda number, history: None,
) -> TuningRun:
    """Tries settings of a recipe, and leaves the bundle of the best trial in ``output`` with a table and a plot of all.

    Trials are compared by the squared error on split ``val``, whatever their loss; the best one is measured on
    ``test``. Runs on the cluster that ``cluster.connected`` finds, as many trials at a time as it has CPUs or GPUs.

    Args:
        recipe: what to train; each trial replaces some of its settings.
        data: as ``trainer.train`` takes it.
        output: folder for the bundle.
        space: what to try.
        trials: how many.
        use_gpu: a GPU per trial; None for where the cluster has one.
        resume: go on with the search in ``output``, if there is one.
        note: a sentence on the data for the model card.
        on_epoch: called with the number of a trial and its history so far.

    Raises:
        UserError: the data, a recipe or the place is wrong; nothing was written.
        ColorizeError: no trial could be trained.
    """
    import ray

    cluster.check_lasting(output)
    drawn = space.draw(trials, recipe.training.seed)
    for settings in drawn:
        with_settings(recipe, settings)
    scratch = storage.join(storage.absolute(output), SCRATCH)
    with cluster.connected() as resources, cluster.explained("tuning failed"):
        rows = {split: datasets.read(data, SplitRule(wanted=[split])) for split in SPLITS}
        trainer.check_output(output, datasets.source_of(data), SCRATCH, resume)
        trainer.check_model(recipe)
        tested = survey(rows["test"], "test")
        splits = {split: trainer.load_split(rows[split], recipe) for split in ("train", "val")}
        trainer.count_steps(recipe, splits, 1)
        fingerprint = splits["train"].fingerprint
        gpu = resources.gpus >= 1 if use_gpu is None else use_gpu
        plan = _Plan(trainer.reachable(recipe).model_dump(), drawn, scratch, fingerprint, gpu)
        plan.check()
        _search(plan, {name: split.pairs for name, split in splits.items()}, splits["train"].images, gpu, on_epoch)
        done = sorted((plan.trial(number) for number in range(trials)), key=lambda trial: trial.val_mse)
        best = done[0]
        state = checkpoints.load_newest(plan.folder(best.number))
        if state is None:
            raise ColorizeError(f"none of {trials} trials could be trained: {best.failure}")
        tuned = with_settings(recipe, best.settings)
        facts = {
            "data": printable(data),
            "note": printable(note),
            **trainer.facts_of(splits),
            "fingerprint": fingerprint,
            "workers": 1,
            "gpu": gpu,
            "tuned": {"trials": trials, "settings": dict(best.settings)},
        }
        weights = ray.get(ray.remote(loop.best_weights).remote(state, tuned))  # TensorFlow stays out of this process
        extras = {"trials.csv": _table(done), "trials.png": curves.draw_trials({t.number: t.history for t in done})}
        made = trainer.leave_bundle(tuned, weights, state.history, facts, rows["test"], tested, output, extras)
        storage.remove(scratch)
    return TuningRun(done, made, output)


@dataclass(frozen=True)
class _Plan:
    """A search as its trials see it; travels to them."""

    recipe: dict[str, Any]
    drawn: list[dict[str, Any]]
    scratch: str
    fingerprint: str
    use_gpu: bool

    @property
    def identity(self) -> str:
        """Of the search: another one must not go on from what this one left."""
        return hashlib.sha256(json.dumps([self.recipe, self.drawn, self.fingerprint]).encode()).hexdigest()

    def folder(self, number: int) -> str:
        """For the checkpoints of a trial."""
        return storage.join(self.scratch, f"{number:04d}")

    def check(self) -> None:
        """Raises InputError where the folder holds another search."""
        path = storage.join(self.scratch, "search")
        if storage.exists(path) and storage.read(path).decode(errors="replace") != self.identity:
            raise InputError(
                f"{self.scratch} holds a search of another recipe, space or data, or with another --trials: give "
                "those, or remove it"
            )
        storage.write(path, self.identity.encode())

    def trial(self, number: int) -> Trial:
        """How far it came."""
        state = checkpoints.load_newest(self.folder(number))
        failure = storage.join(self.folder(number), "failure")
        told = storage.read(failure).decode() if storage.exists(failure) else ""
        return Trial(number, self.drawn[number], state.history if state else [], told)


def _search(plan: _Plan, data: Mapping[str, ray.data.Dataset], images: int, use_gpu: bool, on_epoch: OnTrial) -> None:
    """Runs all trials; what they reached is in their folders."""
    from ray import tune as ray_tune
    from ray.tune.schedulers import ASHAScheduler

    epochs = plan.recipe["training"]["epochs"]
    with Listener(lambda told: on_epoch(*told)) as listener, tempfile.TemporaryDirectory() as own:
        run = ray_tune.with_resources(
            ray_tune.with_parameters(_run_trial, plan=plan, data=data, images=images, told=listener.queue),
            {"CPU": 1, **({"GPU": 1} if use_gpu else {})},
        )
        tuner = ray_tune.Tuner(
            run,
            param_space={"number": ray_tune.grid_search(list(range(len(plan.drawn))))},
            tune_config=ray_tune.TuneConfig(
                metric="val_mse",
                mode="min",
                scheduler=ASHAScheduler(
                    time_attr="epoch", max_t=epochs, grace_period=max(1, epochs // 9), reduction_factor=_REDUCTION
                ),
            ),
            run_config=ray_tune.RunConfig(storage_path=own, verbose=0),
        )
        with cluster.own_signals():
            results = tuner.fit()
    for result in results:
        if result.error is not None:
            raise result.error


def _run_trial(
    config: dict[str, Any], plan: _Plan, data: Mapping[str, ray.data.Dataset], images: int, told: Queue
) -> None:
    """One trial: tells again what it reached before, and goes on from there."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    import tensorflow as tf
    from ray import tune as ray_tune

    if not plan.use_gpu:
        tf.config.set_visible_devices([], "GPU")  # Ray leaves all in sight of a trial that asked for none
    tf.config.threading.set_intra_op_parallelism_threads(1)
    number = config["number"]
    folder = plan.folder(number)
    last = checkpoints.load_newest(folder)
    for row in last.history if last else []:
        ray_tune.report(row)
    try:
        recipe = with_settings(Recipe.model_validate(plan.recipe), plan.drawn[number])
        steps = images // recipe.training.batch_size
        if not steps:
            raise RecipeError(f"training.batch_size {recipe.training.batch_size} is more than the {images} images")
        shards = {name: dataset.iterator() for name, dataset in data.items()}
        weights = batches.class_weights(shards["train"], recipe)
        run = (steps, plan.identity, (0, 1), last, weights)
        for state, _ in loop.epochs(recipe, tf.distribute.get_strategy(), shards, *run):
            checkpoints.save(folder, state, keep=1)
            told.put((number, state.history))
            ray_tune.report(state.history[-1])
    except (RecipeError, FloatingPointError, tf.errors.ResourceExhaustedError) as error:
        storage.write(storage.join(folder, "failure"), one_line(error).encode())


def _table(trials: list[Trial]) -> bytes:
    """CSV with a row per trial, the best first."""
    names = list(trials[0].settings)
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["trial", *names, "epochs", "val_mse", "val_gray_mse", "minutes", "failure"])
    for trial in trials:
        gray = trial.history[0]["val_gray_mse"] if trial.history else ""
        minutes = round(sum(row["seconds"] for row in trial.history) / 60, 2)
        values = [trial.settings[name] for name in names]
        reached = trial.val_mse if trial.history else ""
        writer.writerow([trial.number, *values, len(trial.history), reached, gray, minutes, trial.failure])
    return file.getvalue().encode()
