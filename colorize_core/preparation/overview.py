"""Draws sample images of a prepared data set, so that a user can check it by eye."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.datasets import prepared
from colorize_core.datasets.prepared_facts import DataSetFacts
from colorize_core.datasets.splits import SPLITS
from colorize_core.images import contact_sheet, png

_IMAGES = 8
HEADINGS = ("gray", "L", "a", "b", "color")


def draw(output: str, facts: DataSetFacts) -> bytes:
    """Returns a PNG with eight stored images, one per row: gray input, L, a and b at L = 60, and the colors.

    Args:
        output: folder of the prepared data set.
        facts: content of ``dataset.json``.
    """
    shards = prepared.find_shards(output, facts["transform"]["size"], SPLITS)[:_IMAGES]
    rows: list[list[bytes]] = []
    for shard in shards:
        batch = next(shard())
        for i in range(min(len(batch), -(-_IMAGES // len(shards)))):
            rgb = np.asarray(batch.rgb[i])
            computed = np.rint(255 * color.gray(rgb, facts["pair"]["gray"])).astype(np.uint8)
            rows.append(_row(computed if batch.gray is None else batch.gray[i], rgb))
    return contact_sheet.grid(rows[:_IMAGES], HEADINGS)


def _row(gray: NDArray[np.uint8], rgb: NDArray[np.uint8]) -> list[bytes]:
    lab = color.rgb_to_lab(rgb)
    lightness = np.rint(255 / 100 * lab[..., 0]).astype(np.uint8)
    middle, zero = np.full(lab.shape[:2], 60, np.float32), np.zeros(lab.shape[:2], np.float32)
    only_a = color.join(middle, np.stack([lab[..., 1], zero], axis=-1))
    only_b = color.join(middle, np.stack([zero, lab[..., 2]], axis=-1))
    return [png.encode(image) for image in (gray, lightness, only_a, only_b, rgb)]
