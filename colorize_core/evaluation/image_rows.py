"""Types of the rows that an evaluation passes from one function to the next: an image read, predicted, measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.color import GrayFormula
from colorize_core.inference.prediction import Prediction
from colorize_core.runtime.pickled_rows import Columns


@dataclass(frozen=True)
class ReadImage:
    """An image of a data set, or the reason why it cannot be read.

    Attributes:
        id: id of the image in its data set.
        split: ``train``, ``val`` or ``test``.
        rgb: sRGB uint8 [H, W, 3]; [0, 0, 3] if the image cannot be read.
        gray: the data set's own gray photograph, uint8 [H, W]; None in a data set without gray photographs.
        reason: short code of what is wrong with the image; '' for a good image.
        message: one line for the user; '' for a good image.
    """

    id: str
    split: str
    rgb: NDArray[np.uint8]
    gray: NDArray[np.uint8] | None
    reason: str
    message: str

    def gray_by(self, formula: GrayFormula) -> NDArray[np.uint8]:
        """Returns a colorizer's input, uint8 [H, W]: the data set's own gray photograph, else the formula's result."""
        if self.gray is not None:
            return self.gray
        return np.rint(255 * color.gray(self.rgb, formula)).astype(np.uint8)


@dataclass(frozen=True)
class PredictedImage:
    """An image with the prediction of each network.

    Attributes:
        image: the image.
        predictions: the prediction of each candidate's network, in the order of ``Comparison.candidates``.
        features: features for the Fréchet distance, float32 [d], by ``comparison.TRUTH`` and table row at full
            resolution; empty if no distance is wanted.
    """

    image: ReadImage
    predictions: tuple[Prediction, ...]
    features: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasuredImage:
    """The results of one image.

    Attributes:
        id: id of the image in its data set.
        split: ``train``, ``val`` or ``test``.
        width: width of the image in pixels.
        height: height of the image in pixels.
        truth_colorfulness: colorfulness of the true image.
        metrics: value of each metric by ``comparison.column``, and doubts by ``comparison.doubt_column``.
        pictures: PNG files by name (``gray``, ``truth``, row of a candidate); empty for an image that is not shown.
        features: features for the Fréchet distance, as in ``PredictedImage``.
    """

    id: str
    split: str
    width: int
    height: int
    truth_colorfulness: float
    metrics: Mapping[str, float]
    pictures: Mapping[str, bytes]
    features: Mapping[str, NDArray[np.float32]]


def images_of(columns: Columns) -> list[ReadImage]:
    """Converts the columns of ``RowBatch.columns`` to one object per image."""
    ids, splits, rgb = columns["id"], columns["split"], columns["rgb"]
    grays = columns["gray"] if "gray" in columns else [None] * len(ids)
    rows = zip(ids, splits, rgb, grays, columns["reason"], columns["message"], strict=True)
    return [ReadImage(*row) for row in rows]
