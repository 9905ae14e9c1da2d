"""A look at a split before it is measured: what can be read, and its mean color."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from colorize_core import color
from colorize_core.datasets.splits import place_of
from colorize_core.errors import InputError

if TYPE_CHECKING:
    import ray.data

_SAMPLES = 8
_EVERY = 2  # row and column of an image whose chroma counts


@dataclass(frozen=True)
class Survey:
    """What is in a split.

    Attributes:
        ids: of the images that can be read.
        left_out: why the others cannot, a line each.
        mean_ab: of all pixels of all images; of every second one of every second row, to be exact.
    """

    ids: list[str]
    left_out: list[str]
    mean_ab: tuple[float, float]

    def samples(self) -> list[str]:
        """Ids of a few images, always the same, of all that the split has."""
        return sorted(self.ids, key=place_of)[:_SAMPLES]


def survey(images: ray.data.Dataset, split: str) -> Survey:
    """Reads all images {id, rgb, reason, message} once. Raises InputError where none can be read."""
    rows = images.map_batches(_survey_batch, batch_size=32).to_pandas().sort_values("id")
    bad, good = rows[rows["reason"] != ""], rows[rows["reason"] == ""]
    if good.empty:
        raise InputError(f"none of the {len(rows)} images of split {split} of DATA can be read: nothing to measure on")
    a, b = (float(good[name].sum() / good["pixels"].sum()) for name in ("a", "b"))
    left_out = [f"{row.id}: {row.reason}: {row.message}" for row in bad.itertuples()]
    return Survey(good["id"].tolist(), left_out, (a, b))


def _survey_batch(batch: dict[str, Any]) -> dict[str, Any]:
    sums, pixels = np.zeros((len(batch["id"]), 2)), np.zeros(len(batch["id"]), np.int64)
    for i, rgb in enumerate(batch["rgb"]):
        if rgb.size:
            ab = color.rgb_to_lab(rgb[::_EVERY, ::_EVERY])[..., 1:]
            sums[i], pixels[i] = ab.sum(axis=(0, 1), dtype=np.float64), ab.shape[0] * ab.shape[1]
    return {name: batch[name] for name in ("id", "reason", "message")} | {
        "a": sums[:, 0],
        "b": sums[:, 1],
        "pixels": pixels,
    }
