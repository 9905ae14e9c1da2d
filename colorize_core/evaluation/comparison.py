"""One split, judged: figures of each image, tables, and pictures of a few images."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core.errors import InputError
from colorize_core.evaluation import fid, table
from colorize_core.evaluation.row_sources import RowSource
from colorize_core.evaluation.score import FEATURES, FULL, TRUTH, Comparison, score
from colorize_core.evaluation.table import Interval

_PICTURE = "png/"


@dataclass(frozen=True)
class Measurements:
    """What was found on one split.

    Attributes:
        columns: figures of each image, in the order of their ids, by ``score.column``.
        truth_colorfulness: of the true images.
        tables: intervals by scale, row and metric.
        gains: of PSNR in dB, by scale, row of a bundle, and baseline.
        distances: Fréchet distance of features, by row of the table at full resolution; empty where none was asked for.
        mean_ab: that the mean-chroma row gave every pixel.
        pictures: PNG by name (``gray``, ``truth``, row of a bundle) of the images asked for, by id.
    """

    columns: Mapping[str, NDArray[Any]]
    truth_colorfulness: Interval
    tables: Mapping[str, Mapping[str, Mapping[str, Interval]]]
    gains: Mapping[str, Mapping[str, Mapping[str, Interval]]]
    distances: Mapping[str, float]
    mean_ab: tuple[float, float]
    pictures: Mapping[str, Mapping[str, bytes]]

    @property
    def images(self) -> int:
        """How many could be read."""
        return len(self.columns["id"])

    def facts(self) -> dict[str, Any]:
        """The same as JSON takes it, without what belongs to single images; numbers that do not exist are None."""
        return {
            "images": self.images,
            "truth": {"colorfulness": _bounds(self.truth_colorfulness)},
            "mean_ab": list(self.mean_ab),
            "tables": {
                scale: {row: {name: _bounds(value) for name, value in figures.items()} for row, figures in rows.items()}
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
            **({"feature_distances": dict(self.distances)} if self.distances else {}),
        }


def measure_candidates(
    images: RowSource,
    comparison: Comparison,
    *,
    keep_pictures: Collection[str] = (),
    network: fid.FeatureNetwork | None = None,
    on_images: Callable[[int], None] = lambda count: None,
) -> Measurements:
    """Colorizes the gray version of each image {id, split, rgb, reason} and compares it with the truth, distributed.

    Figures stay, pixels pass: memory grows by 4 bytes a figure, about 60 figures an image and bundle.

    Args:
        images: of one split.
        match: who takes part.
        keep_pictures: ids of images to have pictures of.
        network: for Fréchet distances.
        on_images: called with the number of images of each batch that is done.

    Raises:
        InputError: no image can be read.
    """
    figures, pictures = table.Figures(), {}
    moments: dict[str, fid.Moments] = {}
    for batch in score(images, comparison, keep_pictures=keep_pictures, network=network):
        for name, values in batch.items():
            if name.startswith(FEATURES):
                moments.setdefault(name[len(FEATURES) :], fid.Moments()).add(np.stack(values))
        figures.add({name: values for name, values in batch.items() if not name.startswith((FEATURES, _PICTURE))})
        shown = [name for name in batch if name.startswith(_PICTURE)]
        for i, identity in enumerate(batch["id"]):
            if identity in keep_pictures:
                pictures[identity] = {name[len(_PICTURE) :]: batch[name][i] for name in shown}
        on_images(len(batch["id"]))
    columns = figures.columns()
    if not columns:
        raise InputError("none of the images to measure on can be read")
    [truth] = table.bootstrap(columns["truth/colorfulness"][:, None])
    return Measurements(
        columns,
        truth,
        table.summarize(columns, comparison.tables()),
        _gains(columns, comparison),
        {name: fid.frechet_distance(moments[TRUTH], each) for name, each in moments.items() if name != TRUTH},
        comparison.mean_ab,
        pictures,
    )


def extremes(columns: Mapping[str, NDArray[Any]], row: str, count: int) -> dict[str, list[str]]:
    """Ids of the images with the ``best``, ``median`` and ``worst`` PSNR of a row; each image at most once.

    Of fewer than three images some groups are empty.
    """
    psnr = columns[f"{FULL}/{row}/psnr"]
    order = np.argsort(-psnr, kind="stable").tolist()
    take = max(1, min(count, len(order) // 3))
    best, worst = order[:take], order[take:][-take:]
    between = order[take : len(order) - len(worst)]
    start = (len(between) - take) // 2 if len(between) > take else 0
    places = {"best": best, "median": between[start : start + take], "worst": worst}
    return {name: [str(columns["id"][i]) for i in at] for name, at in places.items()}


def _gains(columns: Mapping[str, NDArray[Any]], comparison: Comparison) -> dict[str, dict[str, dict[str, Interval]]]:
    made: dict[str, dict[str, dict[str, Interval]]] = {}
    for candidate in comparison.candidates:
        for scale in comparison.scales_of(candidate):
            baselines = comparison.baselines_of(candidate, scale)
            for row in candidate.rows:
                made.setdefault(scale, {})[row] = table.gains_over(columns, scale, row, baselines)
    return made


def _bounds(interval: Interval) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in vars(interval).items()}
