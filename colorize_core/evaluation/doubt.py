"""Doubt: how it is calibrated on validation images, and how well it ranks the errors of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.bundle import FAITHFUL, FAITHFUL_COLORS, Bundle, DoubtScale
from colorize_core.color import GrayFormula
from colorize_core.datasets.splits import place_of
from colorize_core.evaluation import metrics
from colorize_core.evaluation.comparison import FULL, Candidate, column, doubt_column
from colorize_core.evaluation.image_rows import PredictedImage, ReadImage
from colorize_core.evaluation.row_sources import FunctionFactory, Rows
from colorize_core.evaluation.score import predict_images
from colorize_core.inference.merging import merge
from colorize_core.inference.predictor import Networks, Predictor

_MOST_IMAGES = 400  # that doubt is calibrated on
_SALT = 400  # of the hash that chooses them: that of the splits would choose all of them or none
_GROUPS = 4


def calibrate_doubt(images: Rows[ReadImage], count: int, bundle: Bundle) -> DoubtScale | None:
    """Returns the doubt of a bundle's predictions, calibrated on the faithful colors of images at full resolution.

    Args:
        images: validation images. About 400 of them are used, chosen by their ids.
        count: their number.
        bundle: a bundle of a network with a class head; of another network the result is None.
    """
    if not bundle.recipe.model.class_head:
        return None
    chosen = images.where(_IsReadable()).where(_IsChosen(_MOST_IMAGES / max(1, count)))
    predicted = chosen.map(FunctionFactory(partial(Predictor, Networks([bundle]), predict_images)))
    measured = predicted.map(partial(_spreads_and_errors, formula=bundle.recipe.data.gray))
    pairs = sorted(pair for batch in measured.batches() for pair in batch)  # batches come in any order
    return DoubtScale.fitted(*zip(*pairs, strict=True)) if pairs else None


@dataclass(frozen=True)
class _IsReadable:
    """A filter that keeps the images that can be read."""

    def __call__(self, image: ReadImage) -> bool:
        return not image.reason


@dataclass(frozen=True)
class _IsChosen:
    """A filter that keeps a fraction of the images, the same in each run."""

    fraction: float

    def __call__(self, image: ReadImage) -> bool:
        return place_of(image.id, _SALT) < self.fraction


class _SpreadAndError(NamedTuple):
    spread: float
    error: float


def _spreads_and_errors(rows: list[PredictedImage], *, formula: GrayFormula) -> list[_SpreadAndError]:
    pairs = []
    for row in rows:
        [prediction] = row.predictions
        spread = prediction.spread()
        if spread is not None:
            image = merge(row.image.gray_by(formula), prediction.ab(FAITHFUL_COLORS))
            error = metrics.rmse_ab(color.rgb_to_lab(row.image.rgb), color.rgb_to_lab(image))
            pairs.append(_SpreadAndError(spread, error))
    return pairs


class DoubtGroup(NamedTuple):
    """Images of similar doubt.

    Attributes:
        images: number of images.
        doubt: their mean doubt, in units of ab.
        error: the mean RMSE of their ab.
    """

    images: int
    doubt: float
    error: float


@dataclass(frozen=True)
class DoubtQuality:
    """The agreement between the doubt of a bundle and the errors of its faithful colors.

    Attributes:
        spearman: rank correlation of doubt and error over all images, in [-1, 1]; nan if there is none.
        groups: four groups of images of about equal size, by rising doubt. Where doubt is well calibrated, the mean
            error of a group is its mean doubt.
    """

    spearman: float
    groups: list[DoubtGroup]

    def facts(self) -> dict[str, Any]:
        """Returns the attributes, ready for JSON."""
        spearman = self.spearman if np.isfinite(self.spearman) else None
        return {"spearman": spearman, "groups": [group._asdict() for group in self.groups]}


def measure_doubt(columns: Mapping[str, NDArray[Any]], candidate: Candidate) -> DoubtQuality | None:
    """Returns how well the doubt of a candidate ranks its errors; None if its bundle has no doubt."""
    from scipy.stats import spearmanr

    doubts = columns.get(doubt_column(candidate.label))
    if doubts is None:
        return None
    errors = columns[column(FULL, candidate.row_of(FAITHFUL), "rmse_ab")]
    varies = len(doubts) > 2 and np.ptp(doubts) > 0 and np.ptp(errors) > 0
    order = np.argsort(doubts, kind="stable")
    groups = [part for part in np.array_split(order, _GROUPS) if len(part)]
    return DoubtQuality(
        float(spearmanr(doubts, errors).statistic) if varies else float("nan"),
        [DoubtGroup(len(part), float(doubts[part].mean()), float(errors[part].mean())) for part in groups],
    )
