"""The splits of a data set as pairs that wait in the object store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from colorize_core import datasets
from colorize_core.datasets import statistics
from colorize_core.datasets.splits import SPLITS, SplitRule
from colorize_core.errors import InputError
from colorize_core.evaluation.row_sources import Batch, RayRows, Stage
from colorize_core.recipes import Recipe
from colorize_core.runtime import cluster, placement
from colorize_core.training import pair_rows

if TYPE_CHECKING:
    import ray.data

_LEAST = 1e-4  # the smallest part of a CPU that Ray counts
_GRAY = 1.0  # mean chroma, in units of ab, that at least one image must have


@dataclass(frozen=True)
class Split:
    """Pairs of one split, held in the object store since each epoch reads them, and why which images were left out.

    The fingerprint stands for ids and pixels of the pairs, in any order: ``statistics.fingerprint``, as 64 digits.
    """

    pairs: ray.data.Dataset
    images: int
    fingerprint: str
    rejected: list[str]


def beside_workers(resources: cluster.Resources) -> dict[str, Any]:
    """Returns what tasks reserve that read while workers hold the CPUs, as arguments of ``map_batches``.

    These are ``placement.beside_workers`` with so small a part of a CPU that what a worker leaves free is enough for a
    task on each CPU of its machine.
    """
    cpus = max((node.get("CPU", 1.0) for node in cluster.nodes()), default=1.0)
    part = max(1, math.floor(placement.CPU_LEFT / max(cpus, 1.0) / _LEAST)) * _LEAST
    return {**placement.beside_workers(resources), "num_cpus": round(part, 4)}


def read_splits(data: str, beside: Mapping[str, Any]) -> dict[str, ray.data.Dataset]:
    """Rows of each split, lazily, by tasks that reserve what ``beside`` says.

    Raises:
        InputError: as ``datasets.read``.
    """
    return {split: datasets.read(data, SplitRule(wanted=[split]), **beside) for split in SPLITS}


@dataclass(frozen=True)
class BesideWorkers(RayRows):
    """Rows whose stages reserve ``beside_workers``: the workers of a training hold all CPUs."""

    reserved: Mapping[str, Any]

    def run(self, *stages: Stage) -> Iterator[Batch]:
        """Runs stages that are functions on all rows, and yields their batches in any order; none is empty."""
        made = self.images
        for stage in stages:
            made = made.map_batches(stage, batch_size=None, **self.reserved)
        for batch in made.iter_batches(batch_size=None, batch_format="numpy"):
            if batch and len(next(iter(batch.values()))):
                yield batch


def load_split(rows: ray.data.Dataset, recipe: Recipe, beside: Mapping[str, Any]) -> Split:
    """Rows {id, rgb, reason, message} as pairs, by tasks that reserve as those of ``read_splits``.

    Raises:
        InputError: none of them has a color.
    """
    from ray.data.expressions import col

    settings = {"size": recipe.data.size, "gray": recipe.data.gray, "color_space": recipe.data.color_space}
    # A block at a time: the readers have bounded it in bytes; rows of large photographs must not come together anew.
    rows.context.execution_options.preserve_order = True  # one seed, one order, whichever task ends first
    made = rows.map_batches(pair_rows.pair_batch, batch_size=None, fn_kwargs=settings, **beside).materialize()
    # One look at all rows, here: each question to Ray Data would start processes of its own.
    columns = ["id", "reason", "message", "checksum", "chroma"]
    looked = made.map_batches(_select, batch_size=None, fn_kwargs={"columns": columns}, **beside).to_pandas()
    looked = looked.reindex(columns=columns)  # which a split without rows has not
    good, bad = looked[looked["reason"] == ""], looked[looked["reason"] != ""]
    rejected = [f"{row.id}: {row.reason}: {row.message}" for row in bad.itertuples()]
    readable = made.filter(expr=col("reason") == "", **beside).materialize() if rejected else made
    if len(good) and good["chroma"].max() < _GRAY:
        raise InputError(
            f"none of the {len(good)} images of DATA has a color: a colorizer learns from color photographs"
        )
    fingerprint = statistics.fingerprint(good["id"].tolist(), good["checksum"].tolist())
    return Split(readable, len(good), f"{fingerprint:064x}", rejected)


def _select(batch: dict[str, Any], columns: list[str]) -> dict[str, Any]:
    """Leaves the pixels out. Ray Data's own ``select_columns`` would wait for a CPU, which the workers hold."""
    return {name: batch[name] for name in columns}


def count_steps(recipe: Recipe, splits: Mapping[str, Split], workers: int) -> int:
    """Steps of an epoch. Raises InputError where the data do not fill a batch."""
    images = {name: split.images for name, split in splits.items()}
    steps = images["train"] // recipe.training.batch_size
    if not steps or images["val"] < workers:
        raise InputError(
            f"DATA has {images['train']} images to learn from and {images['val']} to validate on: need at least "
            f"{recipe.training.batch_size} (training.batch_size) and {workers} (--num-workers)"
        )
    return steps


def facts_of(splits: Mapping[str, Split]) -> dict[str, Any]:
    """How many images a bundle was trained on."""
    return {"images": {name: split.images for name, split in splits.items()}, "rejected": len(rejected_of(splits))}


def rejected_of(splits: Mapping[str, Split]) -> list[str]:
    """The images that were left out, why."""
    return [reason for split in splits.values() for reason in split.rejected]
