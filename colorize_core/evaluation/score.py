"""Scores of a bundle over one split of a data set, at full resolution, beside the gray copy."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.bundle import Bundle
from colorize_core.errors import InputError
from colorize_core.evaluation import metrics
from colorize_core.images import encode
from colorize_core.inference import Colorizer

if TYPE_CHECKING:
    import ray.data

_SAMPLES = 8
_PSNR_OF_EQUAL = 100.0  # dB that an exact match counts as in a mean: infinity would hide the rest


@dataclass(frozen=True)
class Scores:
    """A row of figures per image, and a few images to look at: rows of PNG bytes (gray, truth, colorized)."""

    rows: list[dict[str, Any]]
    samples: list[tuple[bytes, bytes, bytes]]

    def summary(self) -> dict[str, Any]:
        """Means over the images: of the model, of the gray copy, and colorfulness of the truth."""

        def mean(column: str) -> float:
            return round(float(np.mean([row[column] for row in self.rows])), 6)

        return {
            "images": len(self.rows),
            "model": {name: mean(f"model_{name}") for name in ("psnr", "mse", "colorfulness")},
            "gray_copy": {name: mean(f"gray_{name}") for name in ("psnr", "mse", "colorfulness")},
            "truth": {"colorfulness": mean("truth_colorfulness")},
        }


def choose_samples(images: ray.data.Dataset) -> set[str]:
    """Ids of a few readable images of a data set; reads no further than it must.

    Raises:
        InputError: no image is readable.
    """
    from ray.data.expressions import col

    rows = images.select_columns(["id", "reason"]).filter(expr=col("reason") == "").limit(_SAMPLES).take_all()
    if not rows:
        raise InputError("none of the images to measure on can be read: look at the test split of DATA")
    return {row["id"] for row in rows}


def score(bundle: Bundle, images: ray.data.Dataset, sample_ids: Collection[str]) -> Scores:
    """Colorizes the gray version of each readable image {id, rgb} and measures it against the truth, distributed."""
    from ray.data import ActorPoolStrategy

    scored = images.map_batches(
        _Scorer,
        fn_constructor_args=(bundle, sample_ids),
        batch_size=16,
        num_cpus=1,
        compute=ActorPoolStrategy(size=1),
    )
    rows = [row for row in scored.take_all() if row["readable"]]
    samples = [(row.pop("gray_png"), row.pop("truth_png"), row.pop("model_png")) for row in rows]
    return Scores(rows, [sample for sample in samples if sample[0]])


class _Scorer:
    """Ray Data actor: rows {id, rgb} to rows of figures."""

    def __init__(self, bundle: Bundle, sample_ids: Collection[str]) -> None:
        self._colorizer = Colorizer(bundle)
        self._gray = bundle.recipe.data.gray
        self._sample_ids = sample_ids

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        rows = [self._row(name, rgb) for name, rgb in zip(batch["id"], batch["rgb"], strict=True)]
        return {column: _column([row[column] for row in rows]) for column in rows[0]}

    def _row(self, name: str, truth: NDArray[np.uint8]) -> dict[str, Any]:
        readable = truth.size > 0
        if not readable:
            truth = np.zeros((1, 1, 3), np.uint8)
        gray = np.rint(255 * color.gray(truth, self._gray)).astype(np.uint8)
        copy = np.repeat(gray[..., None], 3, axis=-1)
        model = np.asarray(self._colorizer.colorize(gray))
        sample = readable and name in self._sample_ids
        row: dict[str, Any] = {"id": name, "readable": readable, "truth_colorfulness": metrics.colorfulness(truth)}
        for label, image in (("model", model), ("gray", copy)):
            row[f"{label}_psnr"] = min(metrics.psnr(truth, image), _PSNR_OF_EQUAL)
            row[f"{label}_mse"] = metrics.mse(truth, image)
            row[f"{label}_colorfulness"] = metrics.colorfulness(image)
            row[f"{label}_png"] = encode.png(image) if sample else b""
        row["truth_png"] = encode.png(truth) if sample else b""
        return row


def _column(values: list[Any]) -> NDArray[Any]:
    # As an array of fixed length NumPy would strip the zero bytes that end a file.
    return np.array(values, object if isinstance(values[0], bytes) else None)
