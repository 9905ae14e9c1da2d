"""The images that are measured, and what runs stages on them: Ray Data, or a child process of this one.

A stage is a function of a batch, or ``Held``: one that is opened once where it runs, since it holds a network. A batch
is a dict of columns of equal length: NumPy arrays, of objects where images differ in size.
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

LOCAL_CHUNKS = 16  # of DATA at most, for ``auto`` to choose ``local``: 4,096 files of a folder
Batch = dict[str, Any]
_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class Held:
    """A stage that is constructed where it runs, and kept: ``make(*arguments, threads)``.

    ``threads`` are CPU threads for one call of a network; None stands for a GPU.
    """

    make: Callable[..., Callable[[Batch], Batch]]
    arguments: tuple[Any, ...]


Stage = Callable[[Batch], Batch] | Held


class RowSource(Protocol):
    """Rows {id, split, rgb, reason, message} of one split, read anew by each run."""

    def where(self, keep: Callable[[Batch], NDArray[np.bool_]]) -> RowSource:
        """Returns the rows for which a picklable function gives True."""

    def run(self, *stages: Stage) -> Iterator[Batch]:
        """Runs stages on all rows, and yields their batches in any order; none is empty."""


@dataclass(frozen=True)
class RayRows:
    """Rows of a Ray data set."""

    images: ray.data.Dataset

    def where(self, keep: Callable[[Batch], NDArray[np.bool_]]) -> RayRows:
        """Returns the rows for which a picklable function gives True."""
        return RayRows(self.images.map_batches(_Kept(keep), batch_size=None))

    def run(self, *stages: Stage) -> Iterator[Batch]:
        """Runs stages on Ray Data: rows stay in the readers' blocks, each of which is one task's work."""
        made = self.images
        made.context.target_max_block_size = _BLOCK_BYTES
        placed = placement.networks(cluster.resources(), kinds=max(1, sum(isinstance(each, Held) for each in stages)))
        for stage in stages:
            if isinstance(stage, Held):
                made = made.map_batches(
                    stage.make,
                    fn_constructor_args=(*stage.arguments, placed.threads),
                    batch_size=None,
                    compute=placed.strategy(),
                    **placed.reserved,
                )
            else:
                made = made.map_batches(stage, batch_size=None)
        for batch in made.iter_batches(batch_size=None, batch_format="numpy"):
            if batch and len(next(iter(batch.values()))):
                yield batch


@dataclass(frozen=True)
class _Kept:
    keep: Callable[[Batch], NDArray[np.bool_]]

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        kept = self.keep(batch)
        if kept.any():
            yield {name: values[kept] for name, values in batch.items()}


@dataclass(frozen=True)
class LocalRows:
    """Rows of a data set's chunks, read and measured in a child process."""

    pool: local.Pool
    chunks: Sequence[Chunk]
    kept: tuple[_Kept, ...] = ()

    def where(self, keep: Callable[[Batch], NDArray[np.bool_]]) -> LocalRows:
        """Returns the rows for which a picklable function gives True."""
        return replace(self, kept=(*self.kept, _Kept(keep)))

    def run(self, *stages: Stage) -> Iterator[Batch]:
        """Runs stages on each chunk, and yields its batches when all of them are done."""
        for batches in self.pool.run(self.chunks, partial(_measurer, self.kept, stages)):
            yield from batches


def _measurer(kept: Sequence[_Kept], stages: Sequence[Stage], threads: int) -> Callable[[Chunk, int], list[Batch]]:
    """Opens the stages in the child process. On CPUs each call of a network has one thread."""
    given = None if has_gpu() else 1
    room = threading.BoundedSemaphore(2 * threads)  # for batches that are read and not yet measured, in all chunks
    opened = [each.make(*each.arguments, given) if isinstance(each, Held) else each for each in stages]
    pool = ThreadPoolExecutor(threads)

    def measure(batch: Batch) -> list[Batch]:
        try:
            batches = [batch]
            for keep in kept:
                batches = [part for each in batches for part in keep(each)]
            for stage in opened:
                batches = [stage(each) for each in batches]
            return batches
        finally:
            room.release()

    def work(chunk: Chunk, deaths: int) -> list[Batch]:
        cluster.check_tries("a chunk of DATA", deaths)
        pending: list[Future[list[Batch]]] = []
        with isolated_decode.after_deaths(deaths):
            for rows in chunk():
                if len(rows):
                    room.acquire()
                    pending.append(pool.submit(measure, rows.columns()))
        return [batch for each in pending for batch in each.result()]

    return work


@contextmanager
def opened(name: RunnerName, data: str, splits: Sequence[str]) -> Iterator[dict[str, RowSource]]:
    """Opens a runner with the rows of each split, for as long as the block runs.

    ``auto`` is ``local`` if no cluster is named by RAY_ADDRESS, none is connected, and DATA has at most
    ``LOCAL_CHUNKS`` chunks in these splits.

    Raises:
        InputError: the data set is unknown, or nothing usable is at its source.
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
