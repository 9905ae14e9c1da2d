"""Data sets as rows {id, split, rgb, reason, message, labels…}, read lazily on Ray Data.

Each data set has a planner, which lists what to read (``registry``). An image that cannot be read becomes a row with an
empty ``rgb`` [0, 0, 3], a ``reason`` and a ``message``; a good row has the reason ''.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from colorize_core.datasets import isolated_decode, prepared
from colorize_core.datasets.registry import DATASETS, DataSet
from colorize_core.datasets.rows import ReadPlan
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError, one_line
from colorize_core.runtime import cluster

if TYPE_CHECKING:
    import ray.data

    from colorize_core.runtime.pickled_rows import Columns
    from colorize_core.runtime.placement import Reservation

__all__ = ["DATASETS", "DataSet", "plan", "read", "source_of"]


def source_of(data: str) -> str:
    """Returns SOURCE of ``DATASET:SOURCE``; any other text, such as the path of a prepared data set, unchanged."""
    name, colon, source = data.partition(":")
    return source if colon and name in DATASETS else data


def plan(data: str, rule: SplitRule) -> ReadPlan:
    """Lists what a data set has to read, without reading the images.

    Args:
        data: ``DATASET:SOURCE``, as in ``cifar10:/data/cifar-10-batches-py``, or a folder that ``prepare`` made.
        rule: how images are assigned to splits, and which splits to read.

    Raises:
        InputError: the data set is unknown, or nothing usable is at the source.
    """
    name, colon, source = data.partition(":")
    if colon and name in DATASETS:
        planner = DATASETS[name].load_planner()
        try:
            return planner(source, rule)
        except OSError as error:
            raise InputError(f"{source} cannot be read: {one_line(error)}") from error
    if prepared.is_prepared(data):
        return prepared.plan_prepared(data, rule)
    raise InputError(
        f"DATA {data!r} is neither a folder that colorize prepare made nor DATASET:SOURCE; DATASET is one of "
        f"{', '.join(sorted(DATASETS))}"
    )


def read(data: str, rule: SplitRule, reserved: Reservation | None = None) -> ray.data.Dataset:
    """Returns the rows of a data set as a lazy Ray data set, with one task per chunk.

    Args:
        data: the data set, as for ``plan``.
        rule: the splits to read, as for ``plan``.
        reserved: resources that Ray reserves for each task; None for one CPU.

    Raises:
        InputError: the data set cannot be read, as for ``plan``.
    """
    import ray.data
    from ray import cloudpickle

    chunks = [{"chunk": cloudpickle.dumps(chunk)} for chunk in plan(data, rule).chunks]
    planned = ray.data.from_items(chunks, override_num_blocks=len(chunks))
    rows = planned.map_batches(_read_chunk, batch_size=1, **(reserved or {}))
    cluster.give_all_cpus(rows)
    return rows


def _read_chunk(batch: Columns) -> Iterator[Columns]:
    from ray import cloudpickle

    cluster.check_tries("a chunk of DATA")
    with isolated_decode.after_deaths(cluster.attempt()):
        for rows in cloudpickle.loads(batch["chunk"][0])():
            if len(rows):
                yield rows.columns()
