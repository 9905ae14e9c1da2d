"""Runners of the stages of an archive: read -> predict -> finish, on Ray Data or in child processes of this one.

Both run the same stages, and so leave the same ledger and the same bytes. A new runner is a class with the methods of
``Runner`` and a line in ``opened``.
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
from colorize_core.archiving.reporting import meters
from colorize_core.archiving.stages.finish import Finish
from colorize_core.archiving.stages.predict import predict
from colorize_core.archiving.stages.read import Read
from colorize_core.archiving.stages.sinks.formats import OUTPUT_FORMATS
from colorize_core.inference.predictor import Networks, Predictor
from colorize_core.networks import has_gpu
from colorize_core.runtime import cluster, local, placement, runner
from colorize_core.runtime.runner import RunnerName

if TYPE_CHECKING:
    import ray.data

Stage = Callable[[pa.Table, int], pa.Table]
"""Does one task, given how many processes died over it before."""

LOCAL_PHOTOGRAPHS = 2000  # at most, for ``auto`` to choose ``local``
_TASKS_PER_WAVE = 1 << 12  # at most a million photographs, whose names are in Ray's memory at a time
_CPUS_TO_READ = 0.5  # much of its time is the store's; and a second one reads on beside one that has a huge scan
_TASKS_PER_THREAD = 4  # locally, so that threads end together
_REMOTE_PER_TASK = 8  # a store that is away is noticed within a task, after three photographs that waited for it


@dataclass(frozen=True)
class Stages:
    """The stages that a task goes through, one after the other."""

    read: Read
    networks: Networks
    finish: Finish


class Runner(Protocol):
    """Runs stages on tasks."""

    def shaped(self, planned: Plan) -> Plan:
        """Returns the plan with tasks of a size that suits the runner."""

    def colorize(self, tasks: Iterable[pa.Table], stages: Stages) -> Iterator[pa.Table]:
        """Runs all stages on tables of ``plan.TASK_SCHEMA``. Yields tables of ``finished.SCHEMA`` as they are done."""

    def map(self, tasks: Iterable[pa.Table], stage: Stage) -> Iterator[pa.Table]:
        """Runs one stage. Yields its tables as they are done."""


def is_local(name: RunnerName, planned: Plan) -> bool:
    """Returns True if a plan is carried out without Ray: for ``auto`` one of at most ``LOCAL_PHOTOGRAPHS``."""
    return runner.is_local(name, small=planned.todo.num_rows <= LOCAL_PHOTOGRAPHS)


@contextmanager
def opened(locally: bool, file_format: str, engines: set[str], say: Callable[[str], None]) -> Iterator[Runner]:
    """Opens a runner for as long as the block runs.

    Args:
        locally: without Ray.
        file_format: of OUTPUT.
        engines: what runs the networks: TensorFlow, or one on a GPU, is large, and in one process.
        say: called with a line for the user when there is something to know.

    Raises:
        ColorizeError: Ray cannot be started, or its cluster not be reached; or a stage failed.
    """
    lost = "a stage failed; what was finished is kept, the same command goes on"
    if locally:
        light = engines == {"onnx"} and not has_gpu()
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
    """Ray Data on the connected cluster.

    A network that runs on CPUs through ONNX Runtime takes 200 MB: each CPU has an actor that takes a task through all
    stages, and nothing travels between them. Networks on GPUs, and those in TensorFlow, are few: they have actors of
    their own between the tasks that read and those that finish.
    """

    def __init__(self, resources: cluster.Resources) -> None:
        self._resources = resources
        self._placed = placement.networks(resources)

    @property
    def on_cpus(self) -> bool:
        """Whether the network runs on CPUs."""
        return self._placed.threads is not None

    def shaped(self, planned: Plan) -> Plan:
        """Returns the plan as it is: its tasks have the size that suits Ray."""
        return planned

    def colorize(self, tasks: Iterable[pa.Table], stages: Stages) -> Iterator[pa.Table]:
        """Runs all stages, a wave of tasks at a time. Blocks go through whole: each is a task."""
        stages = replace(stages, finish=replace(stages.finish, count=meters.count))
        light = self._placed.threads and stages.networks.engines() == {"onnx"}
        yield from _in_waves(tasks, partial(self._in_one if light else self._apart, stages))

    def _in_one(self, stages: Stages, rows: ray.data.Dataset, tasks: int) -> ray.data.Dataset:
        placed = placement.chains(self._resources, tasks)
        made = rows.map_batches(
            _Chain,
            batch_size=None,
            batch_format="pyarrow",
            fn_constructor_args=(stages,),
            compute=placed.strategy(),
            **placed.reserved,
        )
        cluster.give_all_cpus(made)
        return made

    def _apart(self, stages: Stages, rows: ray.data.Dataset, tasks: int) -> ray.data.Dataset:
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
        """Runs one stage, a wave of tasks at a time."""

        def chain(rows: ray.data.Dataset, tasks: int) -> ray.data.Dataset:
            made = rows.map_batches(_on_ray(stage), batch_size=None, batch_format="pyarrow")
            cluster.give_all_cpus(made)
            return made

        yield from _in_waves(tasks, chain)


class _Chain:
    """All stages in an actor."""

    def __init__(self, stages: Stages) -> None:
        self._run, self._work = stages.finish.run, _chain(stages, 1)

    def __call__(self, batch: pa.Table) -> pa.Table:
        with counted_deaths(self._run.output, self._run.task_name(batch)) as deaths:
            return self._work(batch, deaths)


def _on_ray(stage: Stage) -> Callable[[pa.Table], pa.Table]:
    """Returns a stage as Ray Data calls it, under the stage's name, which Ray shows."""

    def run(batch: pa.Table) -> pa.Table:
        return stage(batch, cluster.attempt())

    run.__name__ = getattr(stage, "__name__", type(stage).__name__)
    return run


def _in_waves(
    tasks: Iterable[pa.Table], chain: Callable[[ray.data.Dataset, int], ray.data.Dataset]
) -> Iterator[pa.Table]:
    import ray

    tasks = iter(tasks)
    while wave := list(islice(tasks, _TASKS_PER_WAVE)):
        made = chain(ray.data.from_arrow(wave), len(wave))
        batches = iter(made.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0))
        try:
            yield from batches
        finally:
            batches.close()  # ends the stages, which could not be ended after Ray


class LocalRunner:
    """Child processes on the CPUs of this machine, each of which takes a task through all stages."""

    def __init__(self, pool: local.Pool, file_format: str) -> None:
        self._pool, self._file_format = pool, file_format

    def shaped(self, planned: Plan) -> Plan:
        """Returns the plan with tasks small enough for each thread to have some; but a shard is made by one task."""
        if OUTPUT_FORMATS[self._file_format].in_shards:
            return planned
        share = planned.todo.num_rows // (self._pool.processes * self._pool.threads * _TASKS_PER_THREAD)
        remote = any(b"://" in path for table in planned.todo for path in table["path"].slice(0, 1).to_pylist())
        least = _REMOTE_PER_TASK if remote else 1
        return replace(planned, least_per_task=min(max(least, share), planned.least_per_task))

    def colorize(self, tasks: Iterable[pa.Table], stages: Stages) -> Iterator[pa.Table]:
        """Runs all stages on each task in one go."""
        yield from self._pool.run(tasks, partial(_local_chain, stages))

    def map(self, tasks: Iterable[pa.Table], stage: Stage) -> Iterator[pa.Table]:
        """Runs one stage."""
        yield from self._pool.run(tasks, partial(_alone, stage))


def _local_chain(stages: Stages, threads: int) -> Stage:
    """Opens the network. On CPUs each call has one thread: as many calls as there are CPUs go on at a time."""
    return _chain(stages, None if any(map(has_gpu, stages.networks.engines())) else 1)


def _chain(stages: Stages, threads: int | None) -> Stage:
    predictor: Predictor[pa.Table] = Predictor(stages.networks, predict, threads)

    def work(task: pa.Table, deaths: int) -> pa.Table:
        return stages.finish(predictor(stages.read(task, deaths)), deaths)

    return work


def _alone(stage: Stage, threads: int) -> Stage:
    return stage
