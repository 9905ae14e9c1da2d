"""Metrics of each image, for the bundles and the two baselines of a comparison.

Each image passes through these functions: predict ab with every network, extract features for Fréchet distances (only
if they are wanted), measure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from colorize_core.color import Floats
from colorize_core.evaluation import fid
from colorize_core.evaluation.comparison import (
    FULL,
    GRAY_COPY,
    MEAN_CHROMA,
    TRUTH,
    Candidate,
    Comparison,
    column,
    doubt_column,
)
from colorize_core.evaluation.image_metrics import GroundTruth
from colorize_core.evaluation.image_rows import MeasuredImage, PredictedImage, ReadImage
from colorize_core.evaluation.row_sources import FunctionFactory, Rows
from colorize_core.images import png, resizing
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.merging import merge
from colorize_core.inference.prediction import Prediction
from colorize_core.inference.predictor import Networks, Predictor
from colorize_core.preprocessing.network_size import network_size
from colorize_core.runtime import placement

PICTURES = ("gray", TRUTH)  # pictures of each image that is shown, before those of the candidates

_Images = Mapping[str, NDArray[np.uint8]]  # sRGB [H, W, 3] by table row


def score(
    images: Rows[ReadImage],
    comparison: Comparison,
    *,
    keep_pictures: Collection[str] = (),
    network: fid.FeatureNetwork | None = None,
) -> Iterator[list[MeasuredImage]]:
    """Measures each image, and yields the results in any order. No list is empty.

    ``metrics`` of an image has a value for every scale, row and metric of the comparison.

    Args:
        images: readable images, as ``Survey.measurable`` returns them.
        comparison: the candidates and the baselines.
        keep_pictures: ids of the images that get ``pictures``: ``PICTURES`` and each row of a candidate.
        network: adds ``features`` of the truth and of each row at full resolution.
    """
    networks = Networks([each.bundle for each in comparison.candidates], engine=comparison.engine)
    predicted = images.map(FunctionFactory(partial(Predictor, networks, predict_images)))
    if network:
        predicted = predicted.map(FunctionFactory(partial(_FeatureExtractor, comparison, network)))
    measure = partial(_measure_images, comparison=comparison, keep_pictures=frozenset(keep_pictures))
    return predicted.map(measure).batches()


def predict_images(images: list[ReadImage], colorizers: Sequence[Colorizer]) -> list[PredictedImage]:
    """Returns each image with the prediction of each network."""
    by_network = [_predict_with(images, colorizer) for colorizer in colorizers]
    return [PredictedImage(image, each) for image, each in zip(images, zip(*by_network, strict=True), strict=True)]


def _predict_with(images: list[ReadImage], colorizer: Colorizer) -> list[Prediction]:
    grays = [image.gray_by(colorizer.recipe.data.gray) for image in images]
    sizes = [colorizer.size_for(gray.shape[1], gray.shape[0]) for gray in grays]
    return colorizer.predict_all([resizing.resize(gray, size) for gray, size in zip(grays, sizes, strict=True)])


class _FeatureExtractor:
    """A function that adds features of the truth and of each image that is compared with the truth."""

    def __init__(self, comparison: Comparison, network: fid.FeatureNetwork, threads: int | None) -> None:
        if threads:
            placement.hide_gpus()
        self._comparison = comparison
        self._features = fid.Features(network)

    def __call__(self, rows: list[PredictedImage]) -> list[PredictedImage]:
        return [replace(row, features=self._features_of(row)) for row in rows]

    def _features_of(self, row: PredictedImage) -> dict[str, NDArray[np.float32]]:
        images = {TRUTH: row.image.rgb, **_images_at_full_scale(row, self._comparison)}
        return dict(zip(images, self._features(list(images.values())), strict=True))


def _measure_images(
    rows: list[PredictedImage], *, comparison: Comparison, keep_pictures: Collection[str]
) -> list[MeasuredImage]:
    return [_measure_image(row, comparison, keep_pictures) for row in rows]


def _measure_image(row: PredictedImage, comparison: Comparison, keep_pictures: Collection[str]) -> MeasuredImage:
    image, truth = row.image, GroundTruth(row.image.rgb)
    height, width = image.rgb.shape[:2]
    images = _images_at_full_scale(row, comparison)
    scales = {FULL: (truth, images)}
    if comparison.own_scales:
        for i, candidate in enumerate(comparison.candidates):
            scales[candidate.own_scale] = _images_at_own_scale(row, i, comparison)
    metrics = {
        column(scale, name, metric): value
        for scale, (reference, compared) in scales.items()
        for name, compared_image in compared.items()
        for metric, value in reference.compare(compared_image).items()
    }
    pictures = _pictures(image, images, comparison) if image.id in keep_pictures else {}
    doubts = {
        doubt_column(candidate.label): doubt
        for candidate, prediction in zip(comparison.candidates, row.predictions, strict=True)
        if (doubt := prediction.doubt(candidate.bundle.doubt)) is not None
    }
    return MeasuredImage(
        image.id,
        image.split,
        width,
        height,
        truth.colorfulness,
        metrics | doubts,
        pictures,
        features=row.features,
    )


def _pictures(image: ReadImage, images: _Images, comparison: Comparison) -> dict[str, bytes]:
    """Returns PNG files of the gray image, the truth and each row of a candidate, by name."""
    gray = image.gray_by(comparison.candidates[0].bundle.recipe.data.gray)
    colorized = {name: images[name] for each in comparison.candidates for name in each.rows}
    shown = {**dict(zip(PICTURES, (gray, image.rgb), strict=True)), **colorized}
    return {name: png.encode(pixels) for name, pixels in shown.items()}


def _images_at_full_scale(row: PredictedImage, comparison: Comparison) -> _Images:
    """Returns the images that are compared with the truth at full resolution."""
    images = {}
    for candidate, prediction in zip(comparison.candidates, row.predictions, strict=True):
        formula = candidate.bundle.recipe.data.gray
        gray = row.image.gray_by(formula)
        if (name := comparison.baseline(GRAY_COPY, formula)) not in images:
            images[name] = copy_gray(gray)
            images[comparison.baseline(MEAN_CHROMA, formula)] = _tint(gray, comparison.mean_ab)
        images |= _colorized(candidate, gray, prediction)
    return images


def _images_at_own_scale(row: PredictedImage, place: int, comparison: Comparison) -> tuple[GroundTruth, _Images]:
    """Returns the truth at the resolution of one candidate's network, and the images that are compared with it."""
    candidate = comparison.candidates[place]
    recipe = candidate.bundle.recipe
    gray = row.image.gray_by(recipe.data.gray)
    size = network_size(recipe, gray.shape[1], gray.shape[0])
    small = resizing.resize(gray, size)
    baselines = {GRAY_COPY: copy_gray(small), MEAN_CHROMA: _tint(small, comparison.mean_ab)}
    colorized = _colorized(candidate, small, row.predictions[place])
    return GroundTruth(resizing.resize(row.image.rgb, size)), baselines | colorized


def _colorized(candidate: Candidate, gray: NDArray[np.uint8], prediction: Prediction) -> dict[str, NDArray[np.uint8]]:
    return {name: merge(gray, prediction.ab(coloring)) for name, coloring in candidate.rows.items()}


def copy_gray(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns the gray image [H, W] in three equal channels [H, W, 3]."""
    return np.repeat(gray[..., None], 3, axis=-1)


def _tint(gray: NDArray[np.uint8], ab: tuple[float, float]) -> NDArray[np.uint8]:
    """Returns sRGB [H, W, 3] with the lightness of a gray image and the same a and b in every pixel."""
    plane: Floats = np.broadcast_to(np.array(ab, np.float32), (1, 1, 2))
    return merge(gray, plane)
