"""Rows of a data set as pairs of network input and target."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import datasets
from colorize_core.color import ColorSpace, GrayFormula
from colorize_core.datasets import prepared, statistics
from colorize_core.datasets.splits import SplitRule
from colorize_core.images import resizing
from colorize_core.preprocessing.pairs import to_pair

if TYPE_CHECKING:
    import ray.data


def pair_batch(
    batch: dict[str, Any], *, size: int, gray: GrayFormula, color_space: ColorSpace = "lab"
) -> dict[str, Any]:
    """Rows {id, rgb, reason, message} of any size to ``to_pair`` in float16 [size, size, channels].

    float16 holds L to 0.03 and ab to 0.06, below the rounding of 8 bit, in half the memory. ``checksum`` is the CRC-32
    of the pixels, ``chroma`` their mean chroma in units of ab. A row with a reason stays, black.
    """
    rgb = _squares(batch["rgb"], size, (1, 1, 3))
    own = _squares(batch["gray"], size, (1, 1)) if "gray" in batch else None
    inputs, targets = to_pair(rgb, gray, color_space, own)
    return {
        "id": batch["id"],
        "reason": batch["reason"],
        "message": batch["message"],
        "checksum": np.array([zlib.crc32(image) for image in rgb], np.int64),
        "chroma": statistics.mean_chroma(statistics.to_lab(statistics.sample(rgb))),
        "input": inputs.astype(np.float16),
        "target": targets.astype(np.float16),
    }


def load_pairs(data: str, split: str) -> ray.data.Dataset:
    """Pairs of a prepared data set for a training loop of your own: a lazy Ray data set of {id, input, target}.

    Gray formula and color space are those that it was prepared with. ``input`` and ``target`` are as in ``to_pair``,
    float16 [size, size, channels]: half a step of 8 bits at most from what the stored pixels give.

    Args:
        data: folder that ``colorize prepare`` made.
        split: ``train``, ``val`` or ``test``.

    Raises:
        InputError: nothing prepared is there, or nothing of that split.
    """
    facts = prepared.read_facts(data)
    settings = {"size": facts["transform"]["size"], **facts["pair"]}
    rows = datasets.read(data, SplitRule(wanted=[split]))
    return rows.map_batches(pair_batch, batch_size=64, fn_kwargs=settings).select_columns(["id", "input", "target"])


def _squares(images: Iterable[NDArray[np.uint8]], size: int, black: tuple[int, ...]) -> NDArray[np.uint8]:
    readable = (image if image.size else np.zeros(black, np.uint8) for image in images)
    return np.stack([resizing.to_square(image, size, "center") for image in readable])
