"""Pairs of network input and target from the rows of a data set, as a stage of Ray Data."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import datasets
from colorize_core.color import ColorSpace, GrayFormula
from colorize_core.datasets import prepared, statistics
from colorize_core.datasets.splits import SplitRule
from colorize_core.images import resizing
from colorize_core.preprocessing.pairs import to_pair
from colorize_core.runtime.pickled_rows import Columns

if TYPE_CHECKING:
    import ray.data

Column = NDArray[Any]


@dataclass(frozen=True)
class PairBatch:
    """A batch of pairs of network input and target, as columns of equal length n.

    Attributes:
        id: ids of the images.
        reason: short code of what is wrong with each image; '' for a good image.
        message: one line for the user; '' for a good image.
        checksum: CRC-32 of the pixels of each image, int64.
        chroma: mean chroma of each image in units of ab, float32.
        input: network inputs, float16 [n, size, size, 1].
        target: targets, float16 [n, size, size, 2 or 3].
    """

    id: Column
    reason: Column
    message: Column
    checksum: NDArray[np.int64]
    chroma: NDArray[np.float32]
    input: NDArray[np.float16]
    target: NDArray[np.float16]

    def columns(self) -> dict[str, Column]:
        """Returns the columns by name, as a batch for Ray Data."""
        return dict(vars(self))


def pair_batch(columns: Columns, *, size: int, gray: GrayFormula, color_space: ColorSpace = "lab") -> PairBatch:
    """Converts rows {id, rgb, reason, message} of any size to pairs (``to_pair``).

    float16 holds L to 0.03 and ab to 0.06, below the rounding of 8 bit, in half the memory. A row with a reason (an
    unreadable image) stays, as a black image.
    """
    rgb = _squares(columns["rgb"], size, (1, 1, 3))
    own_gray = _squares(columns["gray"], size, (1, 1)) if "gray" in columns else None
    inputs, targets = to_pair(rgb, gray, color_space, own_gray)
    return PairBatch(
        id=columns["id"],
        reason=columns["reason"],
        message=columns["message"],
        checksum=np.array([zlib.crc32(image) for image in rgb], np.int64),
        chroma=statistics.mean_chroma(statistics.to_lab(statistics.sample(rgb))),
        input=inputs.astype(np.float16),
        target=targets.astype(np.float16),
    )


def pair_columns(
    columns: Columns, *, size: int, gray: GrayFormula, color_space: ColorSpace = "lab"
) -> dict[str, Column]:
    """Calls ``pair_batch`` as a function for ``map_batches``."""
    return pair_batch(columns, size=size, gray=gray, color_space=color_space).columns()


def load_pairs(data: str, split: str) -> ray.data.Dataset:
    """Reads pairs of a prepared data set, for a training loop of your own.

    Gray formula and color space are those that the data set was prepared with.

    Args:
        data: folder that ``colorize prepare`` made, local or a URL.
        split: ``train``, ``val`` or ``test``.

    Returns:
        A lazy Ray data set of {id, input, target}. ``input`` and ``target`` are as in ``to_pair``, float16 [size, size,
        channels]; they differ from what the stored pixels give by half a step of 8 bits at most.

    Raises:
        InputError: the folder holds no prepared data set, or none of its images is in the split.

    Example:
        >>> for batch in load_pairs("prepared", "train").iter_batches(batch_size=64):
        ...     step(batch["input"], batch["target"])  # arrays [64, size, size, channels]
    """
    facts = prepared.read_facts(data)
    settings = {"size": facts["transform"]["size"], **facts["pair"]}
    rows = datasets.read(data, SplitRule(wanted=[split]))
    return rows.map_batches(pair_columns, batch_size=64, fn_kwargs=settings).select_columns(["id", "input", "target"])


def _squares(images: Iterable[NDArray[np.uint8]], size: int, black: tuple[int, ...]) -> NDArray[np.uint8]:
    readable = (image if image.size else np.zeros(black, np.uint8) for image in images)
    return np.stack([resizing.to_square(image, size, "center") for image in readable])
