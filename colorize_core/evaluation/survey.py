"""Reads a split once before it is measured, to find the images that can be read and have color, and the mean color."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from colorize_core import color
from colorize_core.datasets.splits import place_of
from colorize_core.errors import InputError
from colorize_core.evaluation.image_rows import ReadImage
from colorize_core.evaluation.row_sources import Rows

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

    def measurable(self, images: Rows[ReadImage]) -> Rows[ReadImage]:
        """Returns the images that can be read and have color."""
        return images.where(_IsMeasurable(frozenset(self.gray)))

    def samples(self) -> list[str]:
        """Returns the ids of up to 8 images. The choice depends on the ids alone, so it is the same in each run."""
        return sorted(self.ids, key=place_of)[:_SAMPLES]


@dataclass(frozen=True)
class _IsMeasurable:
    """A filter that keeps the images that can be read and have color."""

    gray: frozenset[str]

    def __call__(self, image: ReadImage) -> bool:
        return not image.reason and image.id not in self.gray


@dataclass(frozen=True)
class _SurveyedImage:
    """The colors of an image, or the reason why it is not measured.

    Attributes:
        id: id of the image.
        reason: short code of what is wrong with the image; '' for a color image.
        message: one line for the user; '' for a color image.
        ab_sum: sums of a and b over the pixels that were looked at.
        pixels: number of these pixels.
    """

    id: str
    reason: str
    message: str
    ab_sum: tuple[float, float] = (0.0, 0.0)
    pixels: int = 0


def survey(images: Rows[ReadImage], split: str) -> Survey:
    """Reads all images once.

    Raises:
        InputError: no image can be read and has color.
    """
    rows = [row for batch in images.map(_survey_images).batches() for row in batch]
    rows.sort(key=lambda row: row.id)
    measurable = [row for row in rows if not row.reason]
    if not measurable:
        raise InputError(
            f"split {split} of DATA has no color image that can be read, of {len(rows)}: nothing to measure on"
        )
    pixels = sum(row.pixels for row in measurable)
    a, b = (float(sum(row.ab_sum[channel] for row in measurable) / pixels) for channel in (0, 1))
    return Survey(
        [row.id for row in measurable],
        [f"{row.id}: {row.reason}: {row.message}" for row in rows if row.reason],
        [row.id for row in rows if row.reason == GRAY],
        (a, b),
    )


def _survey_images(images: list[ReadImage]) -> list[_SurveyedImage]:
    return [_survey_image(image) for image in images]


def _survey_image(image: ReadImage) -> _SurveyedImage:
    if image.reason:
        return _SurveyedImage(image.id, image.reason, image.message)
    ab = color.rgb_to_lab(image.rgb[::_STEP, ::_STEP])[..., 1:]
    if np.hypot(ab[..., 0], ab[..., 1]).mean() < _MIN_CHROMA:
        return _SurveyedImage(image.id, GRAY, "has no color to compare with")
    a, b = ab.sum(axis=(0, 1), dtype=np.float64).tolist()
    return _SurveyedImage(image.id, "", "", (a, b), ab.shape[0] * ab.shape[1])
