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
GRAY = "gray"  # the reason of an image without color: a gray copy of it would be perfect
_GRAY = 1.0  # mean chroma, in units of ab, that a photograph must have
_EVERY = 2  # row and column of an image whose chroma counts


@dataclass(frozen=True)
class Survey:
    """What is in a split.

    Attributes:
        ids: of the images that can be read and have colors.
        left_out: why the others are not measured, a line each.
        gray: ids of those that can be read, but have no color.
        mean_ab: of all pixels of all images; of every second one of every second row, to be exact.
    """

    ids: list[str]
    left_out: list[str]
    gray: list[str]
    mean_ab: tuple[float, float]

    def measurable(self, images: ray.data.Dataset) -> ray.data.Dataset:
        """The rows that are neither unreadable nor gray."""
        from ray.data.expressions import col

        readable = images.filter(expr=col("reason") == "")
        return readable.filter(expr=~col("id").is_in(self.gray)) if self.gray else readable

    def samples(self) -> list[str]:
        """Ids of a few images, always the same, of all that the split has."""
        return sorted(self.ids, key=place_of)[:_SAMPLES]


def survey(images: ray.data.Dataset, split: str) -> Survey:
    """Reads all images {id, rgb, reason, message} once. Raises InputError where none can be read."""
    columns = ["id", "reason", "message", "a", "b", "chroma", "pixels"]
    rows = images.map_batches(_survey_batch, batch_size=None).to_pandas()
    rows = rows.reindex(columns=columns).sort_values("id")  # a split without rows has no columns
    colorless = (rows["reason"] == "") & (rows["chroma"] < _GRAY)
    rows.loc[colorless, ["reason", "message"]] = GRAY, "has no color to compare with"
    bad, good = rows[rows["reason"] != ""], rows[rows["reason"] == ""]
    if good.empty:
        raise InputError(
            f"split {split} of DATA has no color image that can be read, of {len(rows)}: nothing to measure on"
        )
    a, b = (float(good[name].sum() / good["pixels"].sum()) for name in ("a", "b"))
    left_out = [f"{row.id}: {row.reason}: {row.message}" for row in bad.itertuples()]
    return Survey(good["id"].tolist(), left_out, rows[colorless]["id"].tolist(), (a, b))


def _survey_batch(batch: dict[str, Any]) -> dict[str, Any]:
    n = len(batch["id"])
    sums, chroma, pixels = np.zeros((n, 2)), np.zeros(n), np.zeros(n, np.int64)
    for i, rgb in enumerate(batch["rgb"]):
        if rgb.size:
            ab = color.rgb_to_lab(rgb[::_EVERY, ::_EVERY])[..., 1:]
            sums[i], pixels[i] = ab.sum(axis=(0, 1), dtype=np.float64), ab.shape[0] * ab.shape[1]
            chroma[i] = np.hypot(ab[..., 0], ab[..., 1]).mean()
    return {name: batch[name] for name in ("id", "reason", "message")} | {
        "a": sums[:, 0],
        "b": sums[:, 1],
        "chroma": chroma,
        "pixels": pixels,
    }
