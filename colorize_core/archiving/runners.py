"""Runners of the stages read -> predict -> finish: on Ray Data, or in child processes on this machine.

Both run the same stages, and so write the same ledger and the same images. A new runner is a class with the methods of
``Runner``, a name in ``runtime.runner.RunnerName``, and a branch in ``opened``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from colorize_core.archiving.faults import counted_deaths
from colorize_core.archiving.planning.plan import Plan
from colorize_core.archiving.reporting import metrics
from colorize_core.archiving.stages.finish import Finish
from colorize_core.archiving.stages.kept_photographs import KeptPhotographs
from colorize_core.archiving.stages.predict import predict
from colorize_core.archiving.stages.read import Read
from colorize_core.archiving.stages.sinks.formats import OUTPUT_FORMATS
from colorize_core.inference.predictor import Networks, Predictor
from colorize_core.networks import are_light, has_gpu
from colorize_core.runtime import cluster, local, placement, runner
from colorize_core.runtime.runner import RunnerName

if TYPE_CHECKING:
    import ray.data

Stage = Callable[[pa.Table, int], pa.Table]
"""Runs on one task; its second argument is the number of processes that died over the task before."""

LOCAL_PHOTOGRAPHS = 2000  # largest number of photographs for which ``auto`` chooses ``local``
_TASKS_PER_WAVE = 1 << 12  # at most a million photographs: bounds the names in Ray's memory
_CPUS_TO_READ = 0.5  # reading mostly waits for the store; a second reader continues while the first has a huge scan
_TASKS_PER_THREAD = 4  # without Ray: enough for all threads to end at about the same time
_REMOTE_PER_TASK = 8  # a task detects an outage of its store after three photographs that waited for it


@dataclass(frozen=True)
class Stages:
    """The stages that a task goes through, one after the other."""

    read: Read
    networks: Networks
    finish: Finish


class Runner(Protocol):
    """Runs stages on tasks."""

    def with_task_size(self, planned: Plan) -> Plan:
        """Returns the plan with tasks of a size that suits the runner."""

    def colorize(self, tasks: Iterable[pa.Table], stages: Stages) -> Iterator[pa.Table]:
        """Runs all stages on tables of ``plan.TASK_SCHEMA``. Yields tables of ``finished.SCHEMA`` as they are done."""

    def map(self, tasks: Iterable[pa.Table], stage: Stage) -> Iterator[pa.Table]:
        """Runs one stage. Yields its tables as they are done."""


def is_local(name: RunnerName, planned: Plan) -> bool:
    """Returns True if a plan is to run without Ray: with ``auto``, if it has at most ``LOCAL_PHOTOGRAPHS``."""
    return runner.runs_locally(name, small=planned.todo.num_rows <= LOCAL_PHOTOGRAPHS)


@contextmanager
def opened(locally: bool, file_format: str, engines: set[str], say: Callable[[str], None]) -> Iterator[Runner]:
    """Opens a runner for as long as the block runs.

    Args:
        locally: run without Ray.
        file_format: format of OUTPUT.
        engines: names of the engines that run the networks. TensorFlow, and networks on a GPU, are large and share one
            process.
        say: called with each message for the user.

    Raises:
        ColorizeError: Ray cannot be started, its cluster cannot be reached, or a stage failed.
    """
    lost = "the run stopped (finished photographs are kept: run the same command to continue)"
    if locally:
        light = are_light(engines) and not any(map(has_gpu, engines))
        shape = (local.cpus(), 1) if light else (1, local.cpus())
        with cluster.explained(lost), local.Pool(*shape) as pool:
            yield LocalRunner(pool, file_format)
        return
    with cluster.connected() as resources, cluster.explained(lost):
        on_ray = RayRunner(resources)
        if on_ray.on_cpus and resources.gpus:
            say(f"other jobs hold all {resources.gpus:.0f} GPUs of the cluster: the network runs on CPUs")
        yield on_ray


class RayRunner:
    """A runner on the connected cluster, with Ray Data.

    A network that runs on CPUs in ONNX Runtime takes 300 MB: each CPU gets an actor that runs all stages on a task, so
    that no data travels between stages. Networks on GPUs or in TensorFlow are few: they get actors of their own,
    between the tasks that read and those that finish.
    """

    def __init__(self, resources: cluster.Resources) -> None:
        self._resources = resources
        self._placed = placement.networks(resources)

    @property
    def on_cpus(self) -> bool:
        """True if the network runs on CPUs."""
        return self._placed.threads is not None

    def with_task_size(self, planned: Plan) -> Plan:
        """Returns the plan unchanged: its tasks have the size that suits Ray."""
        return planned

    def colorize(self, tasks: Iterable[pa.Table], stages: Stages) -> Iterator[pa.Table]:
        """Runs all stages, one wave of tasks at a time. Each task is one block of Ray Data, which is never split."""
        stages = replace(stages, finish=replace(stages.finish, count=metrics.count))
        light = self._placed.threads and are_light(stages.networks.engines())
        build = self._run_in_one_actor if light else self._run_in_separate_actors
        yield from _run_in_waves(tasks, partial(build, stages))

    def _run_in_one_actor(self, stages: Stages, rows: ray.data.Dataset, tasks: int) -> ray.data.Dataset:
        placed = placement.chains(self._resources, tasks)
        results = rows.map_batches(
            _ChainActor,
            batch_size=None,
            batch_format="pyarrow",
            fn_constructor_args=(stages,),
            compute=placed.strategy(),
            **placed.reserved,
        )
        cluster.give_all_cpus(results)
        return results

    def _run_in_separate_actors(self, stages: Stages, rows: ray.data.Dataset, tasks: int) -> ray.data.Dataset:
        small = rows.map_batches(_on_ray(stages.read), batch_size=None, batch_format="pyarrow", num_cpus=_CPUS_TO_READ)
        predicted = small.map_batches(
            Predictor,
            batch_size=None,
            batch_format="pyarrow",
            fn_constructor_args=(stages.networks, predict, self._placed.threads),
            compute=self._placed.strategy(),
            **self._placed.reserved,
        )
        return predicted.map_batches(_on_ray(stages.finish), batch_size=None, batch_format="pyarrow")

    def map(self, tasks: Iterable[pa.Table], stage: Stage) -> Iterator[pa.Table]:
        """Runs one stage, one wave of tasks at a time."""

        def build(rows: ray.data.Dataset, tasks: int) -> ray.data.Dataset:
            results = rows.map_batches(_on_ray(stage), batch_size=None, batch_format="pyarrow")
            cluster.give_all_cpus(results)
            return results

        yield from _run_in_waves(tasks, build)


class _ChainActor:
    """A Ray actor that runs all stages on each task."""

    def __init__(self, stages: Stages) -> None:
        self._run, self._work = stages.finish.run, _open_chain(stages, 1)

    def __call__(self, batch: pa.Table) -> pa.Table:
        with counted_deaths(self._run.output, self._run.task_name(batch)) as deaths:
            return self._work(batch, deaths)


def _on_ray(stage: Stage) -> Callable[[pa.Table], pa.Table]:
    """Returns a function that Ray Data can call; it has the stage's name, which Ray shows."""

    def run(batch: pa.Table) -> pa.Table:
        return stage(batch, cluster.attempt())

    run.__name__ = getattr(stage, "__name__", type(stage).__name__)
    return run


def _run_in_waves(
    tasks: Iterable[pa.Table], build: Callable[[ray.data.Dataset, int], ray.data.Dataset]
) -> Iterator[pa.Table]:
    import ray

    tasks = iter(tasks)
    while wave := list(islice(tasks, _TASKS_PER_WAVE)):
        results = build(ray.data.from_arrow(wave), len(wave))
        batches = iter(results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0))
        try:
            yield from batches
        finally:
            batches.close()  # ends the stages while Ray is still running


class LocalRunner:
    """A runner in child processes on the CPUs of this machine. Each process runs all stages on a task."""

    def __init__(self, pool: local.Pool, file_format: str) -> None:
        self._pool, self._file_format = pool, file_format

    def with_task_size(self, planned: Plan) -> Plan:
        """Returns the plan with tasks so small that each thread gets some. With shards, tasks keep their size."""
        if OUTPUT_FORMATS[self._file_format].in_shards:
            return planned
        share = planned.todo.num_rows // (self._pool.processes * self._pool.threads * _TASKS_PER_THREAD)
        remote = any(b"://" in path for table in planned.todo for path in table["path"].slice(0, 1).to_pylist())
        least = _REMOTE_PER_TASK if remote else 1
        return replace(planned, min_files_per_task=min(max(least, share), planned.min_files_per_task))

    def colorize(self, tasks: Iterable[pa.Table], stages: Stages) -> Iterator[pa.Table]:
        """Runs all stages on each task in one child process."""
        yield from self._pool.run(tasks, partial(_open_local_chain, stages))

    def map(self, tasks: Iterable[pa.Table], stage: Stage) -> Iterator[pa.Table]:
        """Runs one stage."""
        yield from self._pool.run(tasks, partial(_open_stage, stage))


def _open_local_chain(stages: Stages, threads: int) -> Stage:
    """Opens the network. On CPUs each call has one thread, and there are as many calls at a time as CPUs."""
    return _open_chain(stages, None if any(map(has_gpu, stages.networks.engines())) else 1)


def _open_chain(stages: Stages, threads: int | None) -> Stage:
    predictor = Predictor(stages.networks, predict, threads)

    def work(task: pa.Table, deaths: int) -> pa.Table:
        kept = KeptPhotographs()
        return stages.finish(predictor(stages.read(task, deaths, kept)), deaths, kept)

    return work


def _open_stage(stage: Stage, threads: int) -> Stage:
    return stage
