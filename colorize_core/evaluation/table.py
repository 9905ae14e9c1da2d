"""Tables from the metrics of single images: means with confidence intervals, and gains over the baselines."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core.evaluation.comparison import column
from colorize_core.evaluation.image_metrics import METRICS
from colorize_core.evaluation.image_rows import MeasuredImage

_RESAMPLES = 1000
_LEVEL = 95.0  # percentage of the resampled means that are inside an interval
_CHUNK = 1 << 22  # random numbers drawn at a time: 32 MB
TRUTH_COLORFULNESS = "truth/colorfulness"  # name of the column


@dataclass(frozen=True)
class Interval:
    """A mean over images, and the bounds of its confidence interval."""

    mean: float
    low: float
    high: float


class MetricColumns:
    """A collector of the metrics of images in any order. A number takes 4 bytes."""

    def __init__(self) -> None:
        self._parts: dict[str, list[NDArray[Any]]] = {}

    def add(self, rows: Sequence[MeasuredImage]) -> None:
        """Adds images. All have metrics of the same names."""
        for name in ("id", "split"):
            self._add(name, np.array([getattr(row, name) for row in rows], object))
        for name in ("width", "height"):
            self._add(name, np.array([getattr(row, name) for row in rows]))
        self._add(TRUTH_COLORFULNESS, np.array([row.truth_colorfulness for row in rows], np.float32))
        for name in rows[0].metrics:
            self._add(name, np.array([row.metrics[name] for row in rows], np.float32))

    def _add(self, name: str, values: NDArray[Any]) -> None:
        self._parts.setdefault(name, []).append(values)

    def sorted_by_id(self) -> dict[str, NDArray[Any]]:
        """Returns all rows as columns, sorted by id; an empty dict if there are none."""
        whole = {name: np.concatenate(parts) for name, parts in self._parts.items()}
        if not whole:
            return {}
        order = np.argsort(whole["id"].astype(str), kind="stable")
        return {name: values[order] for name, values in whole.items()}


def stack(parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Returns the rows of all parts below each other. All parts have the same columns."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def write_csv(columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Returns the content of ``metrics.csv``: a row per image, numbers with seven digits, an empty cell for nan."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(columns)
    for values in zip(*columns.values(), strict=True):
        writer.writerow([_cell(value) for value in values])
    return file.getvalue().encode("utf-8", "surrogateescape")


def _cell(value: Any) -> str:
    if not isinstance(value, (float, np.floating)):
        return str(value)
    return f"{value:.7g}" if math.isfinite(value) else ""


def summarize(
    columns: Mapping[str, NDArray[Any]], tables: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, dict[str, Interval]]]:
    """Returns intervals by scale, row and metric. An image for which a metric is nan is left out of its mean."""
    names = [column(scale, row, m.name) for scale, rows in tables.items() for row in rows for m in METRICS]
    intervals = dict(zip(names, bootstrap(np.stack([columns[name] for name in names], axis=1)), strict=True))
    return {
        scale: {row: {m.name: intervals[column(scale, row, m.name)] for m in METRICS} for row in rows}
        for scale, rows in tables.items()
    }


def gains_over(
    columns: Mapping[str, NDArray[Any]], scale: str, row: str, baselines: Iterable[str]
) -> dict[str, Interval]:
    """Returns the mean PSNR gain of a row over each baseline, in dB, from the differences image by image."""
    names = list(baselines)
    psnr = columns[column(scale, row, "psnr")]
    differences = np.stack([psnr - columns[column(scale, name, "psnr")] for name in names], axis=1)
    return dict(zip(names, bootstrap(differences), strict=True))


def not_beaten(gains: Mapping[str, Interval]) -> list[str]:
    """Returns the baselines that a model does not beat on average."""
    return [name for name, gain in gains.items() if not gain.mean > 0]


def unproven(gains: Mapping[str, Interval]) -> list[str]:
    """Returns the baselines that a model beats on average, but not surely: the interval of the gain contains 0."""
    return [name for name, gain in gains.items() if gain.low <= 0 < gain.mean]


def bootstrap(values: NDArray[Any], seed: int = 0) -> list[Interval]:
    """Returns the mean of each column of [n, k] with its percentile bootstrap interval of 95 % (Efron 1979).

    There are 1,000 resamples. Each uses the same images for all columns. nan counts as missing.
    """
    rng = np.random.default_rng(seed)
    n = len(values)
    known = np.isfinite(values)
    filled, counts = np.where(known, values, 0.0).astype(np.float64), known.astype(np.float64)
    means = []
    block = max(1, _CHUNK // n)
    for start in range(0, _RESAMPLES, block):
        samples = rng.integers(0, n, (min(block, _RESAMPLES - start), n))
        weights = np.stack([np.bincount(each, minlength=n) for each in samples]).astype(np.float64)
        with np.errstate(invalid="ignore"):
            means.append((weights @ filled) / (weights @ counts))
    resampled = np.concatenate(means)
    intervals = []
    for i in range(values.shape[1]):
        if not known[:, i].any():
            intervals.append(Interval(math.nan, math.nan, math.nan))
            continue
        low, high = np.nanpercentile(resampled[:, i], [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2])
        intervals.append(Interval(float(filled[:, i].sum() / counts[:, i].sum()), float(low), float(high)))
    return intervals
