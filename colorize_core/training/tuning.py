"""Search for the settings of a recipe on Ray Tune: trials that start together, of which the better half goes on.

The scheduler is ASHA (Li et al. 2020, arXiv:1810.05934). All settings are drawn from the seed before the first trial
starts, and each trial leaves a checkpoint per epoch: a search that was interrupted tells the scheduler again what its
trials reached, and goes on with what is left.

Processes that import TensorFlow: one per trial, which tries its model out and trains it; and one at the end, which
packs and converts the weights of the best trial. The driver, Ray Tune's controller and the tasks that read or measure
photographs do not import TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from colorize_core import bundle, datasets, storage
from colorize_core.errors import ColorizeError, InputError, RecipeError, one_line, printable
from colorize_core.evaluation.row_sources import RayRows
from colorize_core.evaluation.survey import survey
from colorize_core.recipes import Recipe, with_settings
from colorize_core.runtime import cluster, placement
from colorize_core.training import batches, checkpoints, curves, hardware, loop, model_check, pair_splits, trainer
from colorize_core.training.checkpoints import History, State
from colorize_core.training.pace import Moment
from colorize_core.training.packaging import Package
from colorize_core.training.progress import Listener
from colorize_core.training.space import Space
from colorize_core.training.trials import Trial, table

if TYPE_CHECKING:
    import ray.data

    from colorize_core.training.progress import Post

SCRATCH = "_tuning"  # folder in OUTPUT, until the bundle is there
_REDUCTION = 3  # of the trials that reach a rung, one in so many goes on
_LOST_PROCESSES = 2  # that a trial survives without an epoch in between


@dataclass(frozen=True)
class TuningRun:
    """What ``tune`` did: all trials, the best first, and the best one's bundle, as in ``trainer.TrainingRun``."""

    trials: list[Trial]
    bundle: bundle.Bundle
    output: str
    not_converted: str


OnTrial = Callable[[int, History | Moment], None]


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
    on_trial: OnTrial = lambda number, told: None,
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
        on_trial: called with the number of a trial and its history so far; within an epoch, how far that is.

    Raises:
        UserError: the data, a recipe or the place is wrong; nothing was written.
        ColorizeError: no trial could be trained.
    """
    import ray

    model_check.check_settings(recipe)
    cluster.check_lasting(output)
    drawn = space.draw(trials, recipe.training.seed)
    for settings in drawn:
        with_settings(recipe, settings)
    scratch = storage.join(storage.absolute(output), SCRATCH)
    with cluster.connected() as resources, cluster.explained("tuning failed"):
        beside = placement.beside_workers(resources)
        rows = pair_splits.read_splits(data, beside)
        trainer.check_output(output, datasets.source_of(data), SCRATCH, resume)
        tested = survey(RayRows(rows["test"]), "test")
        splits = {split: pair_splits.load_split(rows[split], recipe, beside) for split in ("train", "val")}
        pair_splits.count_steps(recipe, splits, 1)
        fingerprint = splits["train"].fingerprint
        gpu = resources.gpus >= 1 if use_gpu is None else use_gpu
        plan = _Plan(model_check.reachable(recipe).model_dump(), drawn, scratch, fingerprint, gpu)
        plan.check()
        pairs = {name: split.pairs for name, split in splits.items()}
        while True:
            begun = plan.epochs()
            lost = _search(plan, pairs, splits["train"].images, gpu, on_trial)
            reached = plan.epochs()
            if all(reached[number] == begun[number] for number in lost):  # else spot machines may go as they like
                break
        ended = [plan.trial(number, lost.get(number, "")) for number in range(trials)]
        done = sorted(ended, key=lambda trial: (bool(trial.failure), trial.val_mse))
        best = done[0]
        state = checkpoints.load_newest(plan.folder(best.number))
        if best.failure or state is None:
            raise ColorizeError(f"none of {trials} trials could be trained; the first: {ended[0].failure}")
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
        # A process of its own: which trial is the best is known when all have ended, and a conversion takes longer than
        # an epoch of a small trial, so that not each leaves a package.
        package = ray.get(ray.remote(_pack).remote(state, tuned))
        extras = {"trials.csv": table(done), "trials.png": curves.draw_trials({t.number: t.history for t in done})}
        made = trainer.leave_bundle(tuned, package, state.history, facts, rows["test"], tested, output, extras)
        storage.remove(scratch)
    return TuningRun(done, made, output, package.failure)


def _pack(state: State, recipe: Recipe) -> Package:
    """A task: packs the weights of the best trial, without the GPUs that Ray leaves in sight of it."""
    placement.hide_gpus()
    return Package.of_state(state, recipe)


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

    def failure(self, number: int) -> str:
        """The file in which a trial says why it failed."""
        return storage.join(self.folder(number), "failure")

    def epochs(self) -> list[int]:
        """Of each trial, that are done."""
        states = [checkpoints.load_newest(self.folder(number)) for number in range(len(self.drawn))]
        return [state.epoch if state else 0 for state in states]

    def trial(self, number: int, lost: str) -> Trial:
        """How far it came; ``lost`` says why it could not end by itself."""
        state = checkpoints.load_newest(self.folder(number))
        told = self.failure(number)
        failure = lost or (storage.read(told).decode() if storage.exists(told) else "")
        history = state.history if state else []
        return Trial(number, self.drawn[number], history, failure or ("" if history else "it ended without an epoch"))


def _search(
    plan: _Plan, data: Mapping[str, ray.data.Dataset], images: int, use_gpu: bool, on_trial: OnTrial
) -> dict[int, str]:
    """Runs all trials, who leave what they reached in their folders; gives why which ones were lost."""
    # Its new output ignores verbose=0 for boxes, tables and paths; without loggers it has no hint at TensorBoard.
    os.environ.update(RAY_AIR_NEW_OUTPUT="0", TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1")
    from ray import tune as ray_tune
    from ray.tune.progress_reporter import TrialProgressCallback
    from ray.tune.schedulers import ASHAScheduler

    class Mute(TrialProgressCallback):  # type: ignore[misc]
        """Names the trials that ended without a result, whatever the verbosity."""

        def _print(self, msg: str) -> None:
            pass

    epochs = plan.recipe["training"]["epochs"]
    with Listener(lambda told: on_trial(*told)) as listener, tempfile.TemporaryDirectory() as own:
        run = ray_tune.with_resources(
            ray_tune.with_parameters(_run_trial, plan=plan, data=data, images=images, told=listener.post),
            {"CPU": 1 - placement.CPU_LEFT, **({"GPU": 1} if use_gpu else {})},
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
            run_config=ray_tune.RunConfig(
                storage_path=own,
                verbose=0,
                callbacks=[Mute()],
                failure_config=ray_tune.FailureConfig(max_failures=_LOST_PROCESSES),
            ),
        )
        with cluster.own_signals():
            results = tuner.fit()
        return {result.config["number"]: _reason(result.error) for result in results if result.error is not None}


def _reason(error: Exception) -> str:
    """Why Ray Tune gave a trial up, in one line."""
    from ray.exceptions import OutOfMemoryError, RayActorError

    if isinstance(error, RayActorError | OutOfMemoryError):  # their words are pages on the inside of Ray
        return f"{_LOST_PROCESSES + 1} processes of it were killed, for want of memory perhaps"
    return one_line(cluster.root_cause(error))


def _run_trial(
    config: dict[str, Any], plan: _Plan, data: Mapping[str, ray.data.Dataset], images: int, told: Post
) -> None:
    """One trial: tells again what it reached before, and goes on from there.

    What its settings bring about is told as its failure; a store or a cluster that fails may do better at another try,
    which Ray Tune starts.
    """
    from ray import tune as ray_tune
    from ray.exceptions import RayError

    compile_all = hardware.set_up(use_gpu=plan.use_gpu, cpus=1, is_alone=True)
    import tensorflow as tf

    number = config["number"]
    folder = plan.folder(number)
    storage.remove_if_there(plan.failure(number))  # of the search that this one goes on from
    last = checkpoints.load_newest(folder)
    for row in last.history if last else []:
        ray_tune.report(row)
    try:
        recipe = with_settings(Recipe.model_validate(plan.recipe), plan.drawn[number])
        model_check.check_settings(recipe)
        steps = images // recipe.training.batch_size
        if not steps:
            raise RecipeError(f"training.batch_size {recipe.training.batch_size} is more than the {images} images")
        shards = {name: dataset.iterator() for name, dataset in data.items()}
        learner = model_check.build_learner(recipe, tf.distribute.get_strategy(), compile_all=compile_all)
        learner.plan(steps, batches.class_weights(shards["train"], recipe))

        def tell(moment: Moment) -> None:
            told.put((number, moment))

        for state, _ in loop.epochs(recipe, learner, shards, steps, plan.identity, (0, 1), last, tell):
            checkpoints.save(folder, state, keep=1)
            told.put((number, state.history))
            ray_tune.report(state.history[-1])
    except (OSError, RayError):
        raise
    except Exception as error:  # Keras and TensorFlow raise whatever their layers do
        storage.write(plan.failure(number), one_line(error).encode())
