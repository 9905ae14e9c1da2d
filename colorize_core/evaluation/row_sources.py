"""Sources of typed rows, and the functions that are applied to them on Ray Data or in a child process.

A source of ``ReadImage`` yields the images of a split. ``map`` and ``where`` return new sources and compute nothing;
``batches`` reads the images and applies all functions. A function takes and returns a list of rows. A network is opened
once per process: its function comes from a ``FunctionFactory``.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import pyarrow as pa

from colorize_core import datasets
from colorize_core.datasets import isolated_decode
from colorize_core.datasets.rows import Chunk
from colorize_core.datasets.splits import SplitRule
from colorize_core.evaluation.image_rows import ReadImage, images_of
from colorize_core.networks import Engine, has_gpu
from colorize_core.runtime import cluster, local, pickled_rows, placement, runner
from colorize_core.runtime.pickled_rows import Columns
from colorize_core.runtime.runner import RunnerName

if TYPE_CHECKING:
    import ray.data

LOCAL_CHUNKS = 16  # the most chunks of DATA for which ``auto`` chooses ``local``: 4,096 files of a folder
_BLOCK_BYTES = 4 << 20

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")
RowFunction = Callable[[list[T]], list[U]]


@dataclass(frozen=True)
class FunctionFactory(Generic[T, U]):
    """A function of rows that is constructed once in each process, since it holds a network.

    Attributes:
        make: constructs the function. Its argument is the number of CPU threads for one call of a network, or None on a
            GPU. It is pickled.
    """

    make: Callable[[int | None], RowFunction[T, U]]


AnyFunction = RowFunction[T, U] | FunctionFactory[T, U]


class Rows(ABC, Generic[T]):
    """Rows of type ``T``. Each call of ``batches`` reads the images again."""

    @abstractmethod
    def map(self, function: AnyFunction[T, U]) -> Rows[U]:
        """Returns the rows that a picklable function returns for these rows."""

    def where(self, keep: Callable[[T], bool]) -> Rows[T]:
        """Returns the rows for which a picklable function returns True."""
        return self.map(_Filter(keep))

    @abstractmethod
    def batches(self) -> Iterator[list[T]]:
        """Computes the rows, and yields them in any order. No list is empty."""


@dataclass(frozen=True)
class _Filter(Generic[T]):
    """A function of rows that returns those for which ``keep`` returns True."""

    keep: Callable[[T], bool]

    def __call__(self, rows: list[T]) -> list[T]:
        return [row for row in rows if self.keep(row)]


@dataclass(frozen=True)
class RayRows(Rows[T]):
    """Rows that Ray Data computes. Rows stay in the blocks in which they were read; one task works on one block.

    Attributes:
        build: adds the functions so far to a Ray data set; its argument says where networks run.
        decode: converts a NumPy batch of that data set to rows.
        reserved: arguments of ``map_batches`` for functions without a network; empty for one CPU per task.
        networks: number of functions so far that hold a network.
    """

    build: Callable[[placement.NetworkActors], ray.data.Dataset]
    decode: Callable[[Columns], list[T]]
    reserved: placement.Reservation
    networks: int = 0

    @staticmethod
    def read(images: ray.data.Dataset, reserved: placement.Reservation | None = None) -> RayRows[ReadImage]:
        """Returns the rows of ``datasets.read``.

        Args:
            images: the data set.
            reserved: arguments of ``map_batches`` for functions without a network; None for one CPU per task.
        """
        return RayRows(partial(_in_small_blocks, images), images_of, reserved or {})

    def map(self, function: AnyFunction[T, U]) -> RayRows[U]:
        """Returns the rows that a picklable function returns for these rows."""
        networks = self.networks + isinstance(function, FunctionFactory)
        return RayRows(partial(self._with, function), pickled_rows.from_columns, self.reserved, networks)

    def batches(self) -> Iterator[list[T]]:
        """Computes the rows on Ray, and yields them in any order. No list is empty."""
        dataset = self.build(placement.networks(cluster.resources(), kinds=max(1, self.networks)))
        for columns in dataset.iter_batches(batch_size=None, batch_format="numpy"):
            if columns and (rows := self.decode(columns)):
                yield rows

    def _with(self, function: AnyFunction[T, U], placed: placement.NetworkActors) -> ray.data.Dataset:
        dataset = self.build(placed)
        if isinstance(function, FunctionFactory):
            return dataset.map_batches(
                _RowActor,
                fn_constructor_args=(self.decode, function.make, placed.threads),
                batch_size=None,
                compute=placed.strategy(),
                **placed.reserved,
            )
        return dataset.map_batches(_RowTask(self.decode, function), batch_size=None, **self.reserved)


def _in_small_blocks(images: ray.data.Dataset, placed: placement.NetworkActors) -> ray.data.Dataset:
    images.context.target_max_block_size = _BLOCK_BYTES
    return images


@dataclass(frozen=True)
class _RowTask(Generic[T, U]):
    """A function of rows as a function of the batches of a Ray data set. It returns no table without rows."""

    decode: Callable[[Columns], list[T]]
    function: RowFunction[T, U]

    def __call__(self, columns: Columns) -> Iterator[pa.Table]:
        if rows := self.function(self.decode(columns)):
            yield pickled_rows.to_table(rows)


class _RowActor(_RowTask[T, U]):
    """A function of rows that is constructed in an actor of Ray."""

    def __init__(
        self,
        decode: Callable[[Columns], list[T]],
        make: Callable[[int | None], RowFunction[T, U]],
        threads: int | None,
    ) -> None:
        super().__init__(decode, make(threads))


@dataclass(frozen=True)
class LocalRows(Rows[T]):
    """Rows that a child process computes from the chunks of a data set.

    Attributes:
        pool: the child process.
        chunks: the chunks to read.
        engines: names of the engines that run the networks.
        make: constructs the function that applies all functions so far; the argument is as in ``FunctionFactory``.
    """

    pool: local.Pool
    chunks: Sequence[Chunk]
    engines: Collection[Engine]
    make: Callable[[int | None], RowFunction[ReadImage, T]]

    @staticmethod
    def read(pool: local.Pool, chunks: Sequence[Chunk], engines: Collection[Engine]) -> LocalRows[ReadImage]:
        """Returns the rows of these chunks."""
        return LocalRows(pool, chunks, engines, _make_identity)

    def map(self, function: AnyFunction[T, U]) -> LocalRows[U]:
        """Returns the rows that a picklable function returns for these rows."""
        return LocalRows(self.pool, self.chunks, self.engines, partial(_make_both, self.make, function))

    def batches(self) -> Iterator[list[T]]:
        """Computes each chunk in the child process, and yields its rows when all of them are done."""
        for batches in self.pool.run(self.chunks, partial(_make_worker, self.make, self.engines)):
            yield from batches


def _make_identity(threads: int | None) -> RowFunction[T, T]:
    return _identity


def _identity(rows: list[T]) -> list[T]:
    return rows


def _make_both(
    make_first: Callable[[int | None], RowFunction[T, U]], second: AnyFunction[U, V], threads: int | None
) -> RowFunction[T, V]:
    """Constructs the function that applies one function after the other."""
    apply_first = make_first(threads)
    apply_second = second.make(threads) if isinstance(second, FunctionFactory) else second

    def apply_both(rows: list[T]) -> list[V]:
        intermediate = apply_first(rows)
        return apply_second(intermediate) if intermediate else []

    return apply_both


def _make_worker(
    make: Callable[[int | None], RowFunction[ReadImage, T]], engines: Collection[Engine], threads: int
) -> Callable[[Chunk, int], list[list[T]]]:
    """Constructs the functions in the child process. On CPUs, each call of a network has one thread."""
    slots = threading.BoundedSemaphore(2 * threads)  # bounds the batches that are read but not yet measured
    function = make(None if any(map(has_gpu, engines)) else 1)
    pool = ThreadPoolExecutor(threads)

    def apply(rows: list[ReadImage]) -> list[T]:
        try:
            return function(rows)
        finally:
            slots.release()

    def work(chunk: Chunk, deaths: int) -> list[list[T]]:
        cluster.check_tries("a chunk of DATA", deaths)
        pending: list[Future[list[T]]] = []
        with isolated_decode.after_deaths(deaths):
            for rows in chunk():
                if len(rows):
                    slots.acquire()
                    pending.append(pool.submit(apply, images_of(rows.columns())))
        return [result for each in pending if (result := each.result())]

    return work


@contextmanager
def opened(
    name: RunnerName, data: str, splits: Sequence[str], engines: Collection[Engine]
) -> Iterator[Mapping[str, Rows[ReadImage]]]:
    """Opens a runner and returns the rows of each split, which can be read until the block ends.

    ``auto`` stands for ``local`` if RAY_ADDRESS names no cluster, none is connected, and DATA has at most
    ``LOCAL_CHUNKS`` chunks in these splits; else for ``ray``. ``engines`` are the names of those that run the networks.

    Raises:
        InputError: the data set is unknown, or its source holds nothing usable.
        ColorizeError: Ray cannot be started, or a function failed.
    """
    failed = "measuring failed"
    rules = {split: SplitRule(wanted=[split]) for split in splits}
    if name != "ray":
        chunks = {split: datasets.plan(data, rule).chunks for split, rule in rules.items()}
        if runner.runs_locally(name, small=sum(map(len, chunks.values())) <= LOCAL_CHUNKS):
            with cluster.explained(failed), local.Pool(threads=local.cpus()) as pool:
                yield {split: LocalRows.read(pool, part, engines) for split, part in chunks.items()}
            return
    with cluster.connected(), cluster.explained(failed):
        yield {split: RayRows.read(datasets.read(data, rule)) for split, rule in rules.items()}
