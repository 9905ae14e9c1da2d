"""The results of measuring one split: metrics of each image, tables, and pictures of a few images."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core.errors import InputError
from colorize_core.evaluation import fid, table
from colorize_core.evaluation.comparison import FULL, TRUTH, Comparison
from colorize_core.evaluation.doubt import DoubtQuality, measure_doubt
from colorize_core.evaluation.image_rows import ReadImage
from colorize_core.evaluation.row_sources import Rows
from colorize_core.evaluation.score import score
from colorize_core.evaluation.table import Interval


@dataclass(frozen=True)
class Measurements:
    """The results of one split.

    Attributes:
        columns: metrics of each image by ``comparison.column``, in the order of the images' ids.
        truth_colorfulness: mean colorfulness of the true images.
        tables: intervals by scale, table row and metric.
        gains: PSNR gains in dB, by scale, row of a candidate, and baseline.
        distances: Fréchet distance of features, by table row at full resolution; empty if none was asked for.
        doubt: how well the doubt of a bundle ranks its errors, by label, for the bundles that have a doubt.
        mean_ab: the color (a, b) that the mean-chroma baseline gave to every pixel.
        pictures: PNG files by image id, then by name (``gray``, ``truth``, row of a candidate), of the images that
            were asked for.
    """

    columns: Mapping[str, NDArray[Any]]
    truth_colorfulness: Interval
    tables: Mapping[str, Mapping[str, Mapping[str, Interval]]]
    gains: Mapping[str, Mapping[str, Mapping[str, Interval]]]
    distances: Mapping[str, float]
    doubt: Mapping[str, DoubtQuality]
    mean_ab: tuple[float, float]
    pictures: Mapping[str, Mapping[str, bytes]]

    @property
    def images(self) -> int:
        """The number of images that were measured."""
        return len(self.columns["id"])

    def facts(self) -> dict[str, Any]:
        """Returns all results but those of single images, ready for JSON. A number that does not exist is None."""
        return {
            "images": self.images,
            "truth": {"colorfulness": _bounds(self.truth_colorfulness)},
            "mean_ab": list(self.mean_ab),
            "tables": {
                scale: {row: {name: _bounds(value) for name, value in values.items()} for row, values in rows.items()}
                for scale, rows in self.tables.items()
            },
            "psnr_gains": {
                scale: {row: {name: _bounds(value) for name, value in gains.items()} for row, gains in rows.items()}
                for scale, rows in self.gains.items()
            },
            **{
                name: {scale: {row: find(gains) for row, gains in rows.items()} for scale, rows in self.gains.items()}
                for name, find in (("not_beaten", table.not_beaten), ("unproven", table.unproven))
            },
            **({"doubt": {label: quality.facts() for label, quality in self.doubt.items()}} if self.doubt else {}),
            **({"feature_distances": dict(self.distances)} if self.distances else {}),
        }


def measure_candidates(
    images: Rows[ReadImage],
    comparison: Comparison,
    *,
    keep_pictures: Collection[str] = (),
    network: fid.FeatureNetwork | None = None,
    on_images: Callable[[int], None] = lambda count: None,
) -> Measurements:
    """Colorizes the gray version of each image and compares the result with the image, distributed.

    Only metrics are kept, not pixels: memory grows by 4 bytes a number, about 60 numbers an image and candidate.

    Args:
        images: readable images of one split.
        comparison: the candidates and the baselines.
        keep_pictures: ids of the images whose pictures are kept.
        network: extracts the features for Fréchet distances; None for no distances.
        on_images: called with the number of images that were measured since the last call.

    Returns:
        The results.

    Raises:
        InputError: no image can be read.
    """
    metric_columns = table.MetricColumns()
    pictures: dict[str, Mapping[str, bytes]] = {}
    moments: dict[str, fid.Moments] = {}
    for rows in score(images, comparison, keep_pictures=keep_pictures, network=network):
        metric_columns.add(rows)
        for name in rows[0].features:
            moments.setdefault(name, fid.Moments()).add(np.stack([row.features[name] for row in rows]))
        pictures.update((row.id, row.pictures) for row in rows if row.pictures)
        on_images(len(rows))
    columns = metric_columns.sorted_by_id()
    if not columns:
        raise InputError("none of the images to measure on can be read")
    [truth] = table.bootstrap(columns[table.TRUTH_COLORFULNESS][:, None])
    return Measurements(
        columns,
        truth,
        table.summarize(columns, comparison.tables()),
        _gains(columns, comparison),
        {name: fid.frechet_distance(moments[TRUTH], each) for name, each in moments.items() if name != TRUTH},
        {each.label: quality for each in comparison.candidates if (quality := measure_doubt(columns, each))},
        comparison.mean_ab,
        pictures,
    )


def extremes(columns: Mapping[str, NDArray[Any]], row: str, count: int) -> dict[str, list[str]]:
    """Returns the ids of the images with the ``best``, ``median`` and ``worst`` PSNR of a table row.

    Each image appears at most once. Of fewer than three images some groups are empty.
    """
    psnr = columns[f"{FULL}/{row}/psnr"]
    order = np.argsort(-psnr, kind="stable").tolist()
    size = max(1, min(count, len(order) // 3))
    best, worst = order[:size], order[size:][-size:]
    between = order[size : len(order) - len(worst)]
    start = (len(between) - size) // 2 if len(between) > size else 0
    places = {"best": best, "median": between[start : start + size], "worst": worst}
    return {name: [str(columns["id"][i]) for i in indices] for name, indices in places.items()}


def _gains(columns: Mapping[str, NDArray[Any]], comparison: Comparison) -> dict[str, dict[str, dict[str, Interval]]]:
    gains: dict[str, dict[str, dict[str, Interval]]] = {}
    for candidate in comparison.candidates:
        for scale in comparison.scales_of(candidate):
            baselines = comparison.baselines_of(candidate, scale)
            for row in candidate.rows:
                gains.setdefault(scale, {})[row] = table.gains_over(columns, scale, row, baselines)
    return gains


def _bounds(interval: Interval) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in vars(interval).items()}
