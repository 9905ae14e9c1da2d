"""From figures per image to tables: means with confidence intervals, and who beats the baselines."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core.evaluation.measure import METRICS
from colorize_core.evaluation.score import column

_RESAMPLES = 1000
_LEVEL = 95.0  # per cent of the resampled means that an interval holds
_CHUNK = 1 << 22  # drawn numbers at a time: 32 MB
_IDENTITY = ("id", "split", "width", "height")


@dataclass(frozen=True)
class Interval:
    """A mean over images, and the bounds of its confidence interval."""

    mean: float
    low: float
    high: float


class Figures:
    """Rows of figures as they come, held as numbers alone: 4 bytes a figure."""

    def __init__(self) -> None:
        self._parts: dict[str, list[NDArray[Any]]] = {}

    def add(self, batch: Mapping[str, NDArray[Any]]) -> None:
        """A batch of ``score``; pictures are left aside."""
        for name, values in batch.items():
            if name in _IDENTITY:
                self._parts.setdefault(name, []).append(values)
            elif values.dtype != object:
                self._parts.setdefault(name, []).append(values.astype(np.float32))

    def columns(self) -> dict[str, NDArray[Any]]:
        """All rows, in the order of their ids."""
        whole = {name: np.concatenate(parts) for name, parts in self._parts.items()}
        if not whole:
            return {}
        order = np.argsort(whole["id"].astype(str), kind="stable")
        return {name: values[order] for name, values in whole.items()}


def stack(parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The rows of all parts, which have the same columns."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def write_csv(columns: Mapping[str, NDArray[Any]]) -> bytes:
    """``metrics.csv``: a row per image, seven digits a figure; empty where a metric has no value."""
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
    """Interval by scale, row and metric. Images for which a metric has no value are left out of its mean."""
    names = [column(scale, row, m.name) for scale, rows in tables.items() for row in rows for m in METRICS]
    intervals = dict(zip(names, bootstrap(np.stack([columns[name] for name in names], axis=1)), strict=True))
    return {
        scale: {row: {m.name: intervals[column(scale, row, m.name)] for m in METRICS} for row in rows}
        for scale, rows in tables.items()
    }


def gains_over(
    columns: Mapping[str, NDArray[Any]], scale: str, row: str, baselines: Iterable[str]
) -> dict[str, Interval]:
    """By how many dB of PSNR a row is above each baseline, image by image."""
    names = list(baselines)
    mine = columns[column(scale, row, "psnr")]
    differences = np.stack([mine - columns[column(scale, name, "psnr")] for name in names], axis=1)
    return dict(zip(names, bootstrap(differences), strict=True))


def not_beaten(gains: Mapping[str, Interval]) -> list[str]:
    """The baselines that a model does not beat on average."""
    return [name for name, gain in gains.items() if not gain.mean > 0]


def unproven(gains: Mapping[str, Interval]) -> list[str]:
    """The baselines that a model beats on average, but by so little, or on so few images, that chance may do it."""
    return [name for name, gain in gains.items() if gain.low <= 0 < gain.mean]


def bootstrap(values: NDArray[Any], seed: int = 0) -> list[Interval]:
    """Mean of each column [n, k] and its percentile bootstrap interval of 95 % (Efron 1979), over 1,000 resamples.

    All columns are resampled alike, so that differences between them have an interval too. nan counts as missing.
    """
    rng = np.random.default_rng(seed)
    n = len(values)
    known = np.isfinite(values)
    filled, counts = np.where(known, values, 0.0).astype(np.float64), known.astype(np.float64)
    means = []
    block = max(1, _CHUNK // n)
    for start in range(0, _RESAMPLES, block):
        drawn = rng.integers(0, n, (min(block, _RESAMPLES - start), n))
        weights = np.stack([np.bincount(each, minlength=n) for each in drawn]).astype(np.float64)
        with np.errstate(invalid="ignore"):
            means.append((weights @ filled) / (weights @ counts))
    resampled = np.concatenate(means)
    out = []
    for i in range(values.shape[1]):
        if not known[:, i].any():
            out.append(Interval(math.nan, math.nan, math.nan))
            continue
        low, high = np.nanpercentile(resampled[:, i], [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2])
        out.append(Interval(float(filled[:, i].sum() / counts[:, i].sum()), float(low), float(high)))
    return out
