"""Data sets as rows {id, split, rgb, reason, message, labels…}: one planner each, lazily read on Ray Data.

A row that cannot be read has an empty ``rgb`` [0, 0, 3], a ``reason`` and a ``message``; a good row has reason ''.
A new data set is one function that plans and one line in ``PLANNERS``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from colorize_core.datasets import careful, prepared
from colorize_core.datasets.rows import Plan
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError, one_line
from colorize_core.runtime import cluster

if TYPE_CHECKING:
    import ray.data

Planner = Callable[[str, SplitRule], Plan]

PLANNERS = {
    "celeba": "colorize_core.datasets.celeba:plan_celeba",
    "cifar10": "colorize_core.datasets.cifar:plan_cifar10",
    "cifar100": "colorize_core.datasets.cifar:plan_cifar100",
    "folder": "colorize_core.datasets.folder:plan_folder",
    "paired": "colorize_core.datasets.paired:plan_paired",
    "parquet": "colorize_core.datasets.table:plan_parquet",
}


def source_of(data: str) -> str:
    """The place in ``DATASET:SOURCE``, or that of a prepared data set."""
    name, colon, source = data.partition(":")
    return source if colon and name in PLANNERS else data


def plan(data: str, rule: SplitRule) -> Plan:
    """Looks at ``DATASET:SOURCE``, as in ``cifar10:/data/cifar-10-batches-py``, or at a folder that prepare made.

    Raises:
        InputError: the data set is unknown, or nothing usable is at the source.
    """
    name, colon, source = data.partition(":")
    if colon and name in PLANNERS:
        module, function = PLANNERS[name].split(":")
        planner: Planner = getattr(importlib.import_module(module), function)
        try:
            return planner(source, rule)
        except OSError as error:
            raise InputError(f"{source} cannot be read: {one_line(error)}") from error
    if prepared.is_prepared(data):
        return prepared.plan_prepared(data, rule)
    raise InputError(
        f"DATA {data!r} is neither a folder that colorize prepare made nor DATASET:SOURCE; DATASET is one of "
        f"{', '.join(sorted(PLANNERS))}"
    )


def read(data: str, rule: SplitRule, **reserved: Any) -> ray.data.Dataset:
    """The rows of ``data`` as a lazy Ray data set, a task per chunk. Raises InputError as ``plan``.

    ``reserved`` is what Ray is to reserve for a task, as arguments of ``map_batches``; a CPU unless told otherwise.
    """
    import ray.data
    from ray import cloudpickle

    chunks = [{"chunk": cloudpickle.dumps(chunk)} for chunk in plan(data, rule).chunks]
    planned = ray.data.from_items(chunks, override_num_blocks=len(chunks))
    rows = planned.map_batches(_read_chunk, batch_size=1, **reserved)
    cluster.give_all_cpus(rows)
    return rows


def _read_chunk(batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    from ray import cloudpickle

    cluster.check_tries("a chunk of DATA")
    with careful.after(cluster.attempt()):
        for rows in cloudpickle.loads(batch["chunk"][0])():
            if len(rows):
                yield rows.columns()
