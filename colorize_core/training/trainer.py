"""Data-parallel training on Ray Train: data set -> pairs -> workers -> model bundle.

Each worker is a process that imports TensorFlow, since it trains. The first worker also tries the recipe's model out
while the photographs are read, and packs and converts the best weights at the end. No other process imports TensorFlow:
the driver checks settings against the source of the model's builder, Ray's controller starts and replaces workers, and
the tasks of Ray Data read photographs and measure with ONNX Runtime.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from colorize_core import bundle, datasets, storage
from colorize_core.errors import ColorizeError, OutputError, RecipeError, one_line, printable
from colorize_core.evaluation.comparison import Candidate, Comparison
from colorize_core.evaluation.measurements import measure_candidates
from colorize_core.evaluation.row_sources import RayRows
from colorize_core.evaluation.score import PICTURES
from colorize_core.evaluation.survey import Survey, survey
from colorize_core.images import contact_sheet
from colorize_core.recipes import Recipe
from colorize_core.runtime import cluster, placement
from colorize_core.training import batches, checkpoints, curves, loop, model_check, pair_splits
from colorize_core.training.checkpoints import History
from colorize_core.training.pace import OnMoment, ignore
from colorize_core.training.packaging import Package
from colorize_core.training.progress import Listener, OnEpoch, Progress

if TYPE_CHECKING:
    import ray.data

    from colorize_core.training.worker_group import Group

SCRATCH = "_training"  # folder in OUTPUT for the checkpoints of a run that goes on
_PATIENCE = 8.0  # seconds from the start of the workers: the cluster may have to grow for them
_READ_AHEAD = 10.0  # seconds from the start of the workers: what reads no longer goes on before the model is checked
_GLANCE = 0.1  # seconds
_LOST_WORKERS = 3  # in a row, that a run survives without an epoch in between


@dataclass(frozen=True)
class Workers:
    """How many processes train, and whether each has a GPU; None for as the cluster has them."""

    number: int = 1
    use_gpu: bool | None = None


@dataclass(frozen=True)
class TrainingRun:
    """What ``train`` did.

    Attributes:
        bundle: the bundle.
        output: where it is.
        rejected: the images that were left out, and why.
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
    workers: Workers = Workers(),
    resume: bool = False,
    note: str = "",
    on_epoch: OnEpoch = lambda row: None,
    on_moment: OnMoment = ignore,
) -> TrainingRun:
    """Trains a recipe on ``DATASET:SOURCE`` and leaves a model bundle in ``output``.

    Split ``train`` is learned from, ``val`` chooses the epoch to keep, ``test`` is measured once, at the end. Runs on
    the cluster that ``cluster.connected`` finds. A checkpoint per epoch stays in ``output`` until the bundle is there.

    Args:
        recipe: what to train.
        data: as in ``folder:/photographs``, or a folder that ``prepare`` made.
        output: folder for the bundle.
        workers: that share each global batch.
        resume: go on from the last checkpoint in ``output``, if there is one.
        note: a sentence on the data for the model card.
        on_epoch: called with each history row, those before ``resume`` too.
        on_moment: called every few seconds within an epoch.

    Raises:
        UserError: the data, the recipe or the place is wrong; nothing was written.
        ColorizeError: training failed; ``output`` holds no new bundle.
    """
    if recipe.training.batch_size % workers.number:
        raise RecipeError(
            f"training.batch_size {recipe.training.batch_size} does not divide over {workers.number} workers"
        )
    model_check.check_settings(recipe)
    cluster.check_lasting(output)
    scratch = storage.join(storage.absolute(output), SCRATCH)
    with cluster.connected() as resources, cluster.explained("training failed"):
        beside = pair_splits.beside_workers(resources)
        rows = pair_splits.read_splits(data, beside)
        check_output(output, datasets.source_of(data), SCRATCH, resume)
        scaling = _Scaling.of(workers, resources)
        try:
            with _Fit(recipe, scratch, scaling, on_epoch, on_moment) as fit:
                fit.wait_for_workers(_PATIENCE)
                tested = survey(pair_splits.BesideWorkers(rows["test"], beside), "test")
                splits = {"val": pair_splits.load_split(rows["val"], recipe, beside)}
                fit.check_model(patience=_READ_AHEAD)
                splits["train"] = pair_splits.load_split(rows["train"], recipe, beside)
                fit.check_model()
                history = fit.run(splits)
        except BaseException:
            if not checkpoints.load_newest(scratch):
                storage.remove_if_there(scratch)  # nothing to go on from
            raise
        facts = {
            "data": printable(data),
            "note": printable(note),
            **pair_splits.facts_of(splits),
            "fingerprint": splits["train"].fingerprint,
            "workers": workers.number,
            "gpu": scaling.use_gpu,
        }
        package = Package.read(scratch)
        made = leave_bundle(recipe, package, history, facts, rows["test"], tested, output)
        storage.remove(scratch)
    return TrainingRun(made, output, pair_splits.rejected_of(splits), package.failure)


def _newest_epoch(scratch: str) -> int:
    state = checkpoints.load_newest(scratch)
    return state.epoch if state else 0


def leave_bundle(
    recipe: Recipe,
    package: Package,
    history: History,
    facts: Mapping[str, Any],
    test: ray.data.Dataset,
    tested: Survey,
    output: str,
    extras: Mapping[str, bytes] | None = None,
) -> bundle.Bundle:
    """Measures the network on ``test``, and writes the bundle with its curves and pictures."""
    best = loop.best_epoch(history)
    done = {
        "epochs": len(history),
        "best_epoch": best,
        "minutes": round(sum(row["seconds"] for row in history) / 60, 1),
    }
    [vivid_gain] = [row["vivid_gain"] for row in history if row["epoch"] == best]
    vivid_gain = round(vivid_gain / recipe.training.color_gain, 2)  # measured before the weights had that
    made = bundle.Bundle.create(recipe, package.weights, vivid_gain, {**facts, **done}, package.onnx, package.converted)
    candidate = Candidate(made.name, made, made.saturation)
    comparison = Comparison([candidate], tested.mean_ab, own_scales=False)
    measured = measure_candidates(tested.measurable(RayRows(test)), comparison, keep_pictures=tested.samples())
    made = made.with_metrics(measured.facts())
    names = [*PICTURES, *candidate.rows]
    samples = [[shown[name] for name in names] for _, shown in sorted(measured.pictures.items())]
    files = {
        "history.csv": loop.write_history(history),
        bundle.CURVES: curves.draw(history),
        "samples.png": contact_sheet.grid(samples, names),
        **curves.tensorboard(history),
        **(extras or {}),
    }
    bundle.save_bundle(made, output, files)
    return made


def check_output(output: str, source: str, scratch: str, resume: bool) -> None:
    """Raises OutputError where ``output`` is no place for a bundle, or ``scratch`` in it holds unfinished work."""
    if storage.is_inside(output, source):
        raise OutputError(
            f"OUTPUT {output} lies inside DATA {source}: the next training would take the bundle's pictures for "
            "photographs; choose a place beside it"
        )
    begun = storage.exists(storage.join(output, scratch))
    if not begun and not storage.exists(storage.join(output, bundle.FACTS)) and not storage.is_empty(output):
        raise OutputError(f"OUTPUT {output} holds files that colorize did not make: choose a new or an empty folder")
    if begun and not resume:
        raise OutputError(
            f"OUTPUT {output} holds a training that was interrupted: go on with --resume, or remove {scratch} in it"
        )
    storage.check_writable(output)


@dataclass(frozen=True)
class _Scaling:
    """Workers as Ray Train asks for them."""

    number: int
    use_gpu: bool
    cpus: int

    @classmethod
    def of(cls, workers: Workers, resources: cluster.Resources) -> _Scaling:
        """On what the cluster has: each gets as many CPUs as all of them find. Raises RecipeError."""
        use_gpu = resources.gpus >= 1 if workers.use_gpu is None else workers.use_gpu
        kind, key = ("GPUs", "GPU") if use_gpu else ("CPUs", "CPU")
        have = resources.gpus if use_gpu else resources.cpus
        if workers.number > have:
            raise RecipeError(f"--num-workers {workers.number} need as many {kind}, the cluster has {have:.0f}")
        nodes = [(int(node.get("CPU", 0)), int(node.get(key, 0))) for node in cluster.nodes()]

        def places(cpus: int) -> int:
            return sum(min(had // cpus, units) for had, units in nodes)

        cpus = max((c for c in range(1, max(had for had, _ in nodes) + 1) if places(c) >= workers.number), default=1)
        return cls(workers.number, use_gpu, cpus)

    def resources(self) -> dict[str, float]:
        """Of each worker."""
        return {"CPU": self.cpus - placement.CPU_LEFT, **({"GPU": 1} if self.use_gpu else {})}


class _Fit:
    """The workers of a training, who start at once and leave checkpoints and the best weights in ``scratch``.

    A context manager: at its end no worker is left.
    """

    def __init__(self, recipe: Recipe, scratch: str, scaling: _Scaling, on_epoch: OnEpoch, on_moment: OnMoment) -> None:
        self._recipe = recipe
        self._scratch = scratch
        self._scaling = scaling
        self._progress = Progress(scratch, on_epoch, on_moment)
        self._context = ExitStack()
        self._began = time.monotonic()
        self._over = False

    def __enter__(self) -> _Fit:
        with ExitStack() as stack:
            self._listener = stack.enter_context(Listener(self._progress.take))
            self._own = stack.enter_context(tempfile.TemporaryDirectory())
            self._group = self._start()
            self._context = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._context:
            if not self._over:
                self._group.end()

    def _start(self) -> Group:
        from ray.train import FailureConfig, RunConfig, ScalingConfig

        from colorize_core.training.tf_config import TFConfigBackend
        from colorize_core.training.worker_group import Group

        scaling = self._scaling
        group = Group(
            loop.train_worker,
            backend_config=TFConfigBackend(),
            train_loop_config={
                "recipe": model_check.reachable(self._recipe).model_dump(),
                "use_gpu": scaling.use_gpu,
                "folder": self._scratch,
                "post": self._listener.post,
            },
            scaling_config=ScalingConfig(
                num_workers=scaling.number, use_gpu=scaling.use_gpu, resources_per_worker=scaling.resources()
            ),
            # Checkpoints are ours: Ray Train's own are not written atomically; it keeps notes of itself here.
            run_config=RunConfig(storage_path=self._own, failure_config=FailureConfig(max_failures=_LOST_WORKERS)),
        )
        group.start()
        return group

    def wait_for_workers(self, patience: float) -> None:
        """Waits until a worker's process runs, which needs longest to be ready: readers would take its CPU.

        Args:
            patience: seconds from the start of the workers in which it does so.
        """
        while not self._progress.entered.is_set() and time.monotonic() - self._began < patience:
            if self._group.is_over(_GLANCE):
                return  # ``run`` says why

    def check_model(self, patience: float = 0.0) -> None:
        """Waits for what the first worker says of the recipe's model. Raises RecipeError where it cannot be trained.

        Args:
            patience: seconds from the start of the workers in which it does not wait.
        """
        while not self._progress.checked.is_set() and time.monotonic() - self._began >= patience:
            if self._group.is_over(_GLANCE):
                return  # ``run`` says why
        if self._progress.trouble:
            raise self._progress.trouble

    def run(self, splits: Mapping[str, pair_splits.Split]) -> History:
        """Gives the workers their pairs, and waits until they have trained."""
        from ray.train import TrainingFailedError

        steps = pair_splits.count_steps(self._recipe, splits, self._scaling.number)
        # The rate may change between two runs: what diverged goes on with a lower one.
        settings = self._recipe.model_dump_json(exclude={"training": {"learning_rate"}})
        identity = hashlib.sha256(f"{settings}\n{splits['train'].fingerprint}".encode()).hexdigest()
        state = checkpoints.load_newest(self._scratch)
        if state and state.identity != identity:
            raise OutputError(
                f"the checkpoint in {self._scratch} is of another recipe or of other data: give those, or remove "
                f"{self._scratch}"
            )
        self._progress.go_on(state.history if state else [])
        class_weights = batches.class_weights(splits["train"].pairs.iterator(), self._recipe)
        pairs = {name: split.pairs for name, split in splits.items()}
        self._listener.post.give(loop.Work(pairs, steps, identity, class_weights))
        while True:
            begun = _newest_epoch(self._scratch)
            try:
                self._group.wait()
                break
            except TrainingFailedError:
                if self._progress.trouble or _newest_epoch(self._scratch) == begun:
                    raise  # else spot machines may go as they like
            self._group = self._start()
        self._over = True
        self._context.close()  # the last words of the workers are heard
        if self._progress.trouble:
            raise ColorizeError(one_line(self._progress.trouble)) from self._progress.trouble
        state = checkpoints.load_newest(self._scratch)  # what was told on the way may have been lost with a worker
        if state is None:
            raise ColorizeError(f"the workers ended without a checkpoint in {self._scratch}")
        return state.history
