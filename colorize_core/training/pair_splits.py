"""The splits of a data set as pairs of network input and target, held in Ray's object store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from colorize_core import datasets
from colorize_core.datasets import statistics
from colorize_core.datasets.splits import SPLITS, SplitRule
from colorize_core.errors import InputError
from colorize_core.recipes import Recipe
from colorize_core.runtime.pickled_rows import Columns
from colorize_core.runtime.placement import Reservation
from colorize_core.training import pair_rows
from colorize_core.training.pair_rows import Column

if TYPE_CHECKING:
    import ray.data

_MIN_CHROMA = 1.0  # mean chroma, in units of ab, that at least one image must have


@dataclass(frozen=True)
class Split:
    """Pairs of one split, and the images that were left out.

    Attributes:
        pairs: rows {id, input, target}, in the object store, since each epoch reads them.
        images: number of pairs.
        fingerprint: ``statistics.fingerprint`` of ids and pixels in any order, as 64 hexadecimal digits.
        rejected: "ID: REASON: MESSAGE" of each image that was left out.
    """

    pairs: ray.data.Dataset
    images: int
    fingerprint: str
    rejected: list[str]


def read_splits(data: str, reserved: Reservation) -> dict[str, ray.data.Dataset]:
    """Returns the rows of each split as a lazy Ray data set.

    Args:
        data: data set, as for ``datasets.read``.
        reserved: arguments of ``map_batches`` for the tasks that read, from ``placement.beside_workers``.

    Raises:
        InputError: the data set is unknown, or nothing usable is at its source (``datasets.read``).
    """
    return {split: datasets.read(data, SplitRule(wanted=[split]), reserved) for split in SPLITS}


def load_split(rows: ray.data.Dataset, recipe: Recipe, reserved: Reservation) -> Split:
    """Converts rows {id, rgb, reason, message} to pairs.

    Args:
        rows: the rows of one split, from ``read_splits``.
        recipe: gives size, gray formula and color space.
        reserved: arguments of ``map_batches``, as for ``read_splits``.

    Raises:
        InputError: no image has colors.
    """
    from ray.data.expressions import col

    settings = {"size": recipe.data.size, "gray": recipe.data.gray, "color_space": recipe.data.color_space}
    # One block at a time: readers bound a block's bytes, and larger batches of large photographs could fill the memory.
    rows.context.execution_options.preserve_order = True  # a seed must give one order, whichever task ends first
    pairs = rows.map_batches(pair_rows.pair_columns, batch_size=None, fn_kwargs=settings, **reserved).materialize()
    # All facts are read at once and evaluated here, since each query to Ray Data would start new processes.
    columns = ["id", "reason", "message", "checksum", "chroma"]
    select = pairs.map_batches(_select, batch_size=None, fn_kwargs={"columns": columns}, **reserved)
    facts = select.to_pandas().reindex(columns=columns)  # a split without rows has no columns
    good, bad = facts[facts["reason"] == ""], facts[facts["reason"] != ""]
    rejected = [f"{row.id}: {row.reason}: {row.message}" for row in bad.itertuples()]
    readable = pairs.filter(expr=col("reason") == "", **reserved).materialize() if rejected else pairs
    if len(good) and good["chroma"].max() < _MIN_CHROMA:
        raise InputError(
            f"none of the {len(good)} images of DATA has a color: a colorizer learns from color photographs"
        )
    fingerprint = statistics.fingerprint(good["id"].tolist(), good["checksum"].tolist())
    return Split(readable, len(good), f"{fingerprint:064x}", rejected)


def _select(batch: Columns, columns: list[str]) -> dict[str, Column]:
    """Returns only these columns. Ray Data's ``select_columns`` would wait for a CPU, but the workers hold all CPUs."""
    return {name: batch[name] for name in columns}


def count_steps(recipe: Recipe, splits: Mapping[str, Split], workers: int) -> int:
    """Returns the number of steps in an epoch. Raises InputError if the data do not fill one batch."""
    images = {name: split.images for name, split in splits.items()}
    steps = images["train"] // recipe.training.batch_size
    if not steps or images["val"] < workers:
        raise InputError(
            f"DATA has {images['train']} images to learn from and {images['val']} to validate on: need at least "
            f"{recipe.training.batch_size} (training.batch_size) and {workers} (--num-workers)"
        )
    return steps


def facts_of(splits: Mapping[str, Split]) -> dict[str, Any]:
    """Returns the number of images per split, and of rejected images, for the bundle's facts."""
    return {"images": {name: split.images for name, split in splits.items()}, "rejected": len(rejected_of(splits))}


def rejected_of(splits: Mapping[str, Split]) -> list[str]:
    """Returns "ID: REASON: MESSAGE" of each image of these splits that was left out."""
    return [reason for split in splits.values() for reason in split.rejected]
