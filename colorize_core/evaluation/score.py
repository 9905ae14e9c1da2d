"""Metrics of each image, for the bundles and the two baselines of a comparison.

Each image passes through these stages: predict ab with every network, extract features for Fréchet distances (only if
they are wanted), measure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.color import Floats, GrayFormula
from colorize_core.evaluation import fid
from colorize_core.evaluation.comparison import (
    FULL,
    GRAY_COPY,
    MEAN_CHROMA,
    TRUTH,
    Candidate,
    Comparison,
    column,
)
from colorize_core.evaluation.image_metrics import GroundTruth
from colorize_core.evaluation.row_sources import Batch, RowSource, Stage, StageFactory
from colorize_core.images import png, resizing
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.merging import merge
from colorize_core.inference.predictor import Networks, Predictor
from colorize_core.preprocessing.network_size import network_size
from colorize_core.runtime import placement

PICTURES = ("gray", TRUTH)  # pictures of each image that is shown, before those of the candidates
FEATURES = "features/"  # start of the name of a column with features for the Fréchet distance
PICTURE = "png/"  # start of the name of a column with PNG files


def score(
    images: RowSource,
    comparison: Comparison,
    *,
    keep_pictures: Collection[str] = (),
    network: fid.FeatureNetwork | None = None,
) -> Iterator[Batch]:
    """Yields batches with the metrics of each image, one row per image, in any order.

    The columns are ``id``, ``split``, ``width``, ``height``, ``truth/colorfulness``, and ``column(scale, row, metric)``
    for every scale, row and metric.

    Args:
        images: rows {id, split, rgb} of readable images, as ``Survey.measurable`` returns them.
        comparison: the candidates and the baselines.
        keep_pictures: ids of the images whose pictures are returned too, as PNG in the columns ``png/NAME`` for
            ``PICTURES`` and for each row of a candidate. The column is empty for all other images.
        network: adds the columns ``features/NAME``, float32 [d], for ``TRUTH`` and for each row at full resolution.
    """
    networks = Networks([each.bundle for each in comparison.candidates], engine=comparison.engine)
    stages: list[Stage] = [StageFactory(Predictor, (networks, _predict))]
    if network:
        stages.append(StageFactory(_FeatureExtractor, (comparison, network)))
    measured = partial(_measure_batch, comparison=comparison, keep_pictures=frozenset(keep_pictures))
    return images.run(*stages, measured)


def gray_of(row: Mapping[str, Any], formula: GrayFormula) -> NDArray[np.uint8]:
    """Returns a colorizer's input, uint8 [H, W]: the data set's own gray photograph, else the formula's result."""
    if "gray" in row:
        own: NDArray[np.uint8] = row["gray"]
        return own
    return np.rint(255 * color.gray(row["rgb"], formula)).astype(np.uint8)


def _predict(batch: Batch, colorizers: Sequence[Colorizer]) -> Batch:
    """Adds the column ``ab/N``, float32 [h, w, 2], with the prediction of network number N, from 0 on."""
    predicted: Batch = {name: batch[name] for name in ("id", "split", "rgb", "gray") if name in batch}
    rows = _rows(predicted)
    for i, colorizer in enumerate(colorizers):
        grays = [gray_of(row, colorizer.recipe.data.gray) for row in rows]
        sizes = [colorizer.size_for(gray.shape[1], gray.shape[0]) for gray in grays]
        small = [resizing.resize(gray, size) for gray, size in zip(grays, sizes, strict=True)]
        predicted[f"ab/{i}"] = _column(colorizer.predict(small))
    return predicted


class _FeatureExtractor:
    """A stage that adds ``features/NAME`` for the truth and for each image that is compared with it."""

    def __init__(self, comparison: Comparison, network: fid.FeatureNetwork, threads: int | None) -> None:
        if threads:
            placement.hide_gpus()
        self._comparison = comparison
        self._features = fid.Features(network)

    def __call__(self, batch: Batch) -> Batch:
        columns: dict[str, list[NDArray[np.float32]]] = {}
        for row in _rows(batch):
            images = {TRUTH: row["rgb"], **_images_at_full_scale(row, self._comparison)}
            for name, features in zip(images, self._features(list(images.values())), strict=True):
                columns.setdefault(f"{FEATURES}{name}", []).append(features)
        return batch | {name: np.stack(features) for name, features in columns.items()}


def _measure_batch(batch: Batch, *, comparison: Comparison, keep_pictures: Collection[str]) -> Batch:
    features = {name: values for name, values in batch.items() if name.startswith(FEATURES)}
    measured = [_measure(row, comparison, keep_pictures) for row in _rows(batch)]
    return {name: _column([row[name] for row in measured]) for name in measured[0]} | features


def _measure(row: Mapping[str, Any], comparison: Comparison, keep_pictures: Collection[str]) -> dict[str, Any]:
    """Returns the row of one image: metrics, and pictures if they are wanted."""
    truth = GroundTruth(row["rgb"])
    height, width = row["rgb"].shape[:2]
    result: dict[str, Any] = {"id": row["id"], "split": row["split"], "width": width, "height": height}
    result["truth/colorfulness"] = truth.colorfulness
    images = _images_at_full_scale(row, comparison)
    scales = {FULL: (truth, images)}
    if comparison.own_scales:
        scales |= {
            candidate.own_scale: _images_at_own_scale(row, i, comparison)
            for i, candidate in enumerate(comparison.candidates)
        }
    for scale, (reference, compared) in scales.items():
        for name, image in compared.items():
            result |= {column(scale, name, metric): value for metric, value in reference.compare(image).items()}
    if keep_pictures:
        kept = row["id"] in keep_pictures
        gray = gray_of(row, comparison.candidates[0].bundle.recipe.data.gray)
        colorized = {name: images[name] for each in comparison.candidates for name in each.rows}
        shown = {**dict(zip(PICTURES, (gray, row["rgb"]), strict=True)), **colorized}
        result |= {f"{PICTURE}{name}": png.encode(image) if kept else b"" for name, image in shown.items()}
    return result


def _images_at_full_scale(row: Mapping[str, Any], comparison: Comparison) -> dict[str, NDArray[np.uint8]]:
    """Returns the images that are compared with the truth at full resolution, by table row."""
    images = {}
    for i, candidate in enumerate(comparison.candidates):
        formula = candidate.bundle.recipe.data.gray
        gray = gray_of(row, formula)
        if (name := comparison.baseline(GRAY_COPY, formula)) not in images:
            images[name] = copy_gray(gray)
            images[comparison.baseline(MEAN_CHROMA, formula)] = _tint(gray, comparison.mean_ab)
        images |= _colorized(candidate, gray, row[f"ab/{i}"])
    return images


def _images_at_own_scale(
    row: Mapping[str, Any], place: int, comparison: Comparison
) -> tuple[GroundTruth, dict[str, NDArray[np.uint8]]]:
    """Returns the truth at the resolution of one candidate's network, and the images that are compared with it."""
    candidate = comparison.candidates[place]
    recipe = candidate.bundle.recipe
    gray = gray_of(row, recipe.data.gray)
    size = network_size(recipe, gray.shape[1], gray.shape[0])
    small = resizing.resize(gray, size)
    baselines = {GRAY_COPY: copy_gray(small), MEAN_CHROMA: _tint(small, comparison.mean_ab)}
    colorized = _colorized(candidate, small, row[f"ab/{place}"])
    return GroundTruth(resizing.resize(row["rgb"], size)), baselines | colorized


def _colorized(candidate: Candidate, gray: NDArray[np.uint8], ab: Floats) -> dict[str, NDArray[np.uint8]]:
    return {name: merge(gray, np.float32(gain) * ab) for name, gain in candidate.rows.items()}


def copy_gray(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns the gray image [H, W] in three equal channels [H, W, 3]."""
    return np.repeat(gray[..., None], 3, axis=-1)


def _tint(gray: NDArray[np.uint8], ab: tuple[float, float]) -> NDArray[np.uint8]:
    """Returns sRGB [H, W, 3] with the lightness of a gray image and the same a and b in every pixel."""
    plane: Floats = np.broadcast_to(np.array(ab, np.float32), (1, 1, 2))
    return merge(gray, plane)


def _rows(batch: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{name: values[i] for name, values in batch.items()} for i in range(len(batch["id"]))]


def _column(values: list[Any]) -> NDArray[Any]:
    # In an array of byte strings, NumPy would strip zero bytes at the end of a file. It would stack images of one size.
    if not isinstance(values[0], (bytes, np.ndarray)):
        return np.array(values)
    column = np.empty(len(values), object)
    for i, value in enumerate(values):
        column[i] = value
    return column
