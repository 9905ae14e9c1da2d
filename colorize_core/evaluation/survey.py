"""Reads a split once before it is measured, to find the images that can be read and have color, and the mean color."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.datasets.splits import place_of
from colorize_core.errors import InputError
from colorize_core.evaluation.row_sources import RowSource

_SAMPLES = 8
GRAY = "gray"  # reason code of an image without color: a gray copy of such an image would be perfect
_MIN_CHROMA = 1.0  # units of ab; a photograph of less mean chroma counts as gray
_STEP = 2  # every second row and column of an image is looked at


@dataclass(frozen=True)
class Survey:
    """The images of a split.

    Attributes:
        ids: ids of the images that can be read and have color.
        left_out: one line for each other image, with the reason why it is not measured.
        gray: ids of the images that can be read but have no color.
        mean_ab: mean (a, b) over every second pixel of every second row of the images in ``ids``.
    """

    ids: list[str]
    left_out: list[str]
    gray: list[str]
    mean_ab: tuple[float, float]

    def measurable(self, images: RowSource) -> RowSource:
        """Returns the rows of images that can be read and have color."""
        return images.where(_Measurable(frozenset(self.gray)))

    def samples(self) -> list[str]:
        """Returns the ids of up to 8 images. The choice depends on the ids alone, so it is the same in each run."""
        return sorted(self.ids, key=place_of)[:_SAMPLES]


@dataclass(frozen=True)
class _Measurable:
    gray: frozenset[str]

    def __call__(self, batch: dict[str, Any]) -> NDArray[np.bool_]:
        pairs = zip(batch["reason"], batch["id"], strict=True)
        return np.array([reason == "" and identity not in self.gray for reason, identity in pairs], bool)


def survey(images: RowSource, split: str) -> Survey:
    """Reads all images {id, rgb, reason, message} once.

    Raises:
        InputError: no image can be read and has color.
    """
    rows = [row for batch in images.run(_survey_batch) for row in _rows(batch)]
    for row in rows:
        if not row["reason"] and row["chroma"] < _MIN_CHROMA:
            row |= {"reason": GRAY, "message": "has no color to compare with"}
    rows.sort(key=lambda row: str(row["id"]))
    measurable = [row for row in rows if not row["reason"]]
    if not measurable:
        raise InputError(
            f"split {split} of DATA has no color image that can be read, of {len(rows)}: nothing to measure on"
        )
    pixels = sum(int(row["pixels"]) for row in measurable)
    a, b = (float(sum(row[name] for row in measurable) / pixels) for name in ("a", "b"))
    return Survey(
        [str(row["id"]) for row in measurable],
        [f"{row['id']}: {row['reason']}: {row['message']}" for row in rows if row["reason"]],
        [str(row["id"]) for row in rows if row["reason"] == GRAY],
        (a, b),
    )


def _rows(batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for values in zip(*batch.values(), strict=True):
        yield dict(zip(batch, values, strict=True))


def _survey_batch(batch: dict[str, Any]) -> dict[str, Any]:
    n = len(batch["id"])
    sums, chroma, pixels = np.zeros((n, 2)), np.zeros(n), np.zeros(n, np.int64)
    for i, rgb in enumerate(batch["rgb"]):
        if rgb.size:
            ab = color.rgb_to_lab(rgb[::_STEP, ::_STEP])[..., 1:]
            sums[i], pixels[i] = ab.sum(axis=(0, 1), dtype=np.float64), ab.shape[0] * ab.shape[1]
            chroma[i] = np.hypot(ab[..., 0], ab[..., 1]).mean()
    return {name: batch[name] for name in ("id", "reason", "message")} | {
        "a": sums[:, 0],
        "b": sums[:, 1],
        "chroma": chroma,
        "pixels": pixels,
    }
