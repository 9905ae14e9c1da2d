"""Sources of the images to measure, which run stages on them with Ray Data or in a child process.

A stage is a function of a batch, or a ``StageFactory`` that constructs such a function once per process, for stages
that hold a network. A batch is a dict of columns of equal length. Columns are NumPy arrays, of dtype object if images
differ in size.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from colorize_core import datasets
from colorize_core.datasets import isolated_decode
from colorize_core.datasets.rows import Chunk
from colorize_core.datasets.splits import SplitRule
from colorize_core.networks import has_gpu
from colorize_core.runtime import cluster, local, placement, runner
from colorize_core.runtime.runner import RunnerName

if TYPE_CHECKING:
    import ray.data

LOCAL_CHUNKS = 16  # the most chunks of DATA for which ``auto`` chooses ``local``: 4,096 files of a folder
Batch = dict[str, Any]
_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class StageFactory:
    """A stage that is constructed once in each process that runs it, by ``make(*arguments, threads)``.

    ``threads`` is the number of CPU threads for one call of a network, or None on a GPU.
    """

    make: Callable[..., Callable[[Batch], Batch]]
    arguments: tuple[Any, ...]


Stage = Callable[[Batch], Batch] | StageFactory


class RowSource(Protocol):
    """The images of one split as rows {id, split, rgb, reason, message}. Each ``run`` reads them again."""

    def where(self, keep: Callable[[Batch], NDArray[np.bool_]]) -> RowSource:
        """Returns the rows for which a picklable function returns True."""

    def run(self, *stages: Stage) -> Iterator[Batch]:
        """Runs stages on all rows, and yields the resulting batches in any order. No batch is empty."""


@dataclass(frozen=True)
class RayRows:
    """Rows of a Ray data set; Ray Data runs the stages."""

    images: ray.data.Dataset

    def where(self, keep: Callable[[Batch], NDArray[np.bool_]]) -> RayRows:
        """Returns the rows for which a picklable function returns True."""
        return RayRows(self.images.map_batches(_Filter(keep), batch_size=None))

    def run(self, *stages: Stage) -> Iterator[Batch]:
        """Runs stages on Ray Data. Rows stay in the blocks in which they were read; one task works on one block."""
        dataset = self.images
        dataset.context.target_max_block_size = _BLOCK_BYTES
        placed = placement.networks(
            cluster.resources(), kinds=max(1, sum(isinstance(each, StageFactory) for each in stages))
        )
        for stage in stages:
            if isinstance(stage, StageFactory):
                dataset = dataset.map_batches(
                    stage.make,
                    fn_constructor_args=(*stage.arguments, placed.threads),
                    batch_size=None,
                    compute=placed.strategy(),
                    **placed.reserved,
                )
            else:
                dataset = dataset.map_batches(stage, batch_size=None)
        for batch in dataset.iter_batches(batch_size=None, batch_format="numpy"):
            if batch and len(next(iter(batch.values()))):
                yield batch


@dataclass(frozen=True)
class _Filter:
    keep: Callable[[Batch], NDArray[np.bool_]]

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        kept = self.keep(batch)
        if kept.any():
            yield {name: values[kept] for name, values in batch.items()}


@dataclass(frozen=True)
class LocalRows:
    """Rows of a data set's chunks; a child process reads them and runs the stages."""

    pool: local.Pool
    chunks: Sequence[Chunk]
    filters: tuple[_Filter, ...] = ()

    def where(self, keep: Callable[[Batch], NDArray[np.bool_]]) -> LocalRows:
        """Returns the rows for which a picklable function returns True."""
        return replace(self, filters=(*self.filters, _Filter(keep)))

    def run(self, *stages: Stage) -> Iterator[Batch]:
        """Runs stages on each chunk, and yields the batches of a chunk when all of them are done."""
        for batches in self.pool.run(self.chunks, partial(_measurer, self.filters, stages)):
            yield from batches


def _measurer(filters: Sequence[_Filter], stages: Sequence[Stage], threads: int) -> Callable[[Chunk, int], list[Batch]]:
    """Constructs the stages in the child process. On CPUs, each call of a network has one thread."""
    threads_per_network = None if has_gpu() else 1
    slots = threading.BoundedSemaphore(2 * threads)  # bounds the batches that are read but not yet measured
    opened = [
        each.make(*each.arguments, threads_per_network) if isinstance(each, StageFactory) else each for each in stages
    ]
    pool = ThreadPoolExecutor(threads)

    def measure(batch: Batch) -> list[Batch]:
        try:
            batches = [batch]
            for keep in filters:
                batches = [part for each in batches for part in keep(each)]
            for stage in opened:
                batches = [stage(each) for each in batches]
            return batches
        finally:
            slots.release()

    def work(chunk: Chunk, deaths: int) -> list[Batch]:
        cluster.check_tries("a chunk of DATA", deaths)
        pending: list[Future[list[Batch]]] = []
        with isolated_decode.after_deaths(deaths):
            for rows in chunk():
                if len(rows):
                    slots.acquire()
                    pending.append(pool.submit(measure, rows.columns()))
        return [batch for each in pending for batch in each.result()]

    return work


@contextmanager
def opened(name: RunnerName, data: str, splits: Sequence[str]) -> Iterator[dict[str, RowSource]]:
    """Opens a runner and returns the rows of each split, which can be read until the block ends.

    ``auto`` stands for ``local`` if RAY_ADDRESS names no cluster, none is connected, and DATA has at most
    ``LOCAL_CHUNKS`` chunks in these splits; else for ``ray``.

    Raises:
        InputError: the data set is unknown, or its source holds nothing usable.
        ColorizeError: Ray cannot be started, or a stage failed.
    """
    failed = "measuring failed"
    rules = {split: SplitRule(wanted=[split]) for split in splits}
    if name != "ray":
        chunks = {split: datasets.plan(data, rule).chunks for split, rule in rules.items()}
        if runner.runs_locally(name, small=sum(map(len, chunks.values())) <= LOCAL_CHUNKS):
            with cluster.explained(failed), local.Pool(threads=local.cpus()) as pool:
                yield {split: LocalRows(pool, part) for split, part in chunks.items()}
            return
    with cluster.connected(), cluster.explained(failed):
        yield {split: RayRows(datasets.read(data, rule)) for split, rule in rules.items()}
