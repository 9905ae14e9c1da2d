"""Figures per image of several bundles and of two baselines: predict -> measure, an image at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.bundle import Bundle
from colorize_core.color import Floats, GrayFormula
from colorize_core.evaluation import fid, measure
from colorize_core.evaluation.row_sources import Batch, Held, RowSource, Stage
from colorize_core.images import png, resizing
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.merging import merge
from colorize_core.inference.predictor import Networks, Predictor
from colorize_core.networks import Engine
from colorize_core.preprocessing.network_size import network_size
from colorize_core.runtime import placement

GRAY_COPY = "gray copy"
MEAN_CHROMA = "mean chroma"
FULL = "full"
TRUTH = "truth"
PICTURES = ("gray", TRUTH)
FEATURES = "features/"


@dataclass(frozen=True)
class Candidate:
    """A bundle that takes part.

    Attributes:
        label: its name here, unlike all others.
        gains: of ab, by what is appended to the label.
    """

    label: str
    bundle: Bundle
    gains: Mapping[str, float]

    @property
    def rows(self) -> dict[str, float]:
        """Gain by name of the table's row."""
        return {f"{self.label} {name}".strip(): gain for name, gain in self.gains.items()}

    @property
    def own(self) -> str:
        """Name of the scale at which this one sees the images."""
        return f"as {self.label} sees it"


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        mean_ab: that the mean-chroma baseline gives every pixel.
        own_scales: whether it is measured at each bundle's own resolution too.
        engine: what runs the networks.
    """

    candidates: Sequence[Candidate]
    mean_ab: tuple[float, float]
    own_scales: bool = True
    engine: Engine = "auto"

    def tables(self) -> dict[str, list[str]]:
        """Names of the rows of each scale's table, the baselines first."""
        formulas = dict.fromkeys(each.bundle.recipe.data.gray for each in self.candidates)
        baselines = [self.baseline(name, formula) for formula in formulas for name in (GRAY_COPY, MEAN_CHROMA)]
        made = {FULL: [*baselines, *(row for each in self.candidates for row in each.rows)]}
        if self.own_scales:
            made |= {each.own: [GRAY_COPY, MEAN_CHROMA, *each.rows] for each in self.candidates}
        return made

    def scales_of(self, candidate: Candidate) -> list[str]:
        """At which scales a contestant is measured."""
        return [FULL, candidate.own] if self.own_scales else [FULL]

    def baselines_of(self, candidate: Candidate, scale: str) -> list[str]:
        """Names of the rows that a contestant must beat: those of its own gray."""
        names = (GRAY_COPY, MEAN_CHROMA)
        formula = candidate.bundle.recipe.data.gray
        return [self.baseline(name, formula) for name in names] if scale == FULL else list(names)

    def baseline(self, name: str, formula: GrayFormula) -> str:
        """Name of a baseline's row at full resolution; with the formula of its gray where there are several."""
        several = len({each.bundle.recipe.data.gray for each in self.candidates}) > 1
        return f"{name} ({formula})" if several else name


def column(scale: str, row: str, metric: str) -> str:
    """Name of the column of one figure."""
    return f"{scale}/{row}/{metric}"


def score(
    images: RowSource,
    match: Comparison,
    *,
    keep_pictures: Collection[str] = (),
    network: fid.FeatureNetwork | None = None,
) -> Iterator[Batch]:
    """Yields batches with a row of figures per image {id, split, rgb}, all readable: ``Survey.measurable``.

    Columns are ``id``, ``split``, ``width``, ``height``, ``truth/colorfulness``, and one per ``column``.

    Args:
        images: to colorize and to compare with.
        match: who takes part.
        keep_pictures: ids of images that have pictures too, as PNG: ``png/NAME`` for ``PICTURES`` and for each row of
            a contestant; empty for all others.
        network: adds ``features/NAME`` float32 [d] for ``TRUTH``, and for each row of the table at full resolution.
    """
    networks = Networks([each.bundle for each in match.candidates], engine=match.engine)
    stages: list[Stage] = [Held(Predictor, (networks, _predict))]
    if network:
        stages.append(Held(_Extractor, (match, network)))
    measured = partial(_measure_batch, match=match, keep_pictures=frozenset(keep_pictures))
    return images.run(*stages, measured)


def gray_of(row: Mapping[str, Any], formula: GrayFormula) -> NDArray[np.uint8]:
    """What the colorizer gets [H, W]: the gray photograph that the data set has, else by the formula."""
    if "gray" in row:
        own: NDArray[np.uint8] = row["gray"]
        return own
    return np.rint(255 * color.gray(row["rgb"], formula)).astype(np.uint8)


def _predict(batch: Batch, colorizers: Sequence[Colorizer]) -> Batch:
    """Adds the column ``ab/N`` of each network, float32 [h, w, 2]."""
    made: Batch = {name: batch[name] for name in ("id", "split", "rgb", "gray") if name in batch}
    rows = _rows(made)
    for i, colorizer in enumerate(colorizers):
        grays = [gray_of(row, colorizer.recipe.data.gray) for row in rows]
        sizes = [colorizer.size_for(gray.shape[1], gray.shape[0]) for gray in grays]
        small = [resizing.resize(gray, size) for gray, size in zip(grays, sizes, strict=True)]
        made[f"ab/{i}"] = _column(colorizer.predict(small))
    return made


class _Extractor:
    """An actor: adds ``features/NAME`` of the truth and of each image that is compared with it."""

    def __init__(self, match: Comparison, network: fid.FeatureNetwork, threads: int | None) -> None:
        if threads:
            placement.hide_gpus()
        self._match = match
        self._features = fid.Features(network)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        rows = _rows(batch)
        found: dict[str, list[NDArray[np.float32]]] = {}
        for row in rows:
            images = {TRUTH: row["rgb"], **_full(row, self._match)}
            for name, features in zip(images, self._features(list(images.values())), strict=True):
                found.setdefault(f"{FEATURES}{name}", []).append(features)
        return batch | {name: np.stack(features) for name, features in found.items()}


def _measure_batch(batch: dict[str, Any], *, match: Comparison, keep_pictures: Collection[str]) -> dict[str, Any]:
    features = {name: values for name, values in batch.items() if name.startswith(FEATURES)}
    measured = [_measure(row, match, keep_pictures) for row in _rows(batch)]
    return {name: _column([row[name] for row in measured]) for name in measured[0]} | features


def _measure(row: Mapping[str, Any], match: Comparison, keep_pictures: Collection[str]) -> dict[str, Any]:
    """The figures of one image."""
    truth = measure.Truth(row["rgb"])
    height, width = row["rgb"].shape[:2]
    made: dict[str, Any] = {"id": row["id"], "split": row["split"], "width": width, "height": height}
    made["truth/colorfulness"] = truth.colorfulness
    images = _full(row, match)
    scales = {FULL: (truth, images)}
    if match.own_scales:
        scales |= {each.own: _own(row, i, match) for i, each in enumerate(match.candidates)}
    for scale, (against, compared) in scales.items():
        for name, image in compared.items():
            made |= {column(scale, name, metric): value for metric, value in against.compare(image).items()}
    if keep_pictures:
        kept = row["id"] in keep_pictures
        gray = gray_of(row, match.candidates[0].bundle.recipe.data.gray)
        colorized = {name: images[name] for each in match.candidates for name in each.rows}
        shown = {**dict(zip(PICTURES, (gray, row["rgb"]), strict=True)), **colorized}
        made |= {f"png/{name}": png.encode(image) if kept else b"" for name, image in shown.items()}
    return made


def _full(row: Mapping[str, Any], match: Comparison) -> dict[str, NDArray[np.uint8]]:
    """What is compared at full resolution, by row of the table."""
    made = {}
    for i, candidate in enumerate(match.candidates):
        formula = candidate.bundle.recipe.data.gray
        gray = gray_of(row, formula)
        if (name := match.baseline(GRAY_COPY, formula)) not in made:
            made[name] = copy_gray(gray)
            made[match.baseline(MEAN_CHROMA, formula)] = _tint(gray, match.mean_ab)
        made |= _colorized(candidate, gray, row[f"ab/{i}"])
    return made


def _own(row: Mapping[str, Any], place: int, match: Comparison) -> tuple[measure.Truth, dict[str, NDArray[np.uint8]]]:
    """The truth at a contestant's own resolution, and what is compared with it."""
    candidate = match.candidates[place]
    recipe = candidate.bundle.recipe
    gray = gray_of(row, recipe.data.gray)
    size = network_size(recipe, gray.shape[1], gray.shape[0])
    small = resizing.resize(gray, size)
    baselines = {GRAY_COPY: copy_gray(small), MEAN_CHROMA: _tint(small, match.mean_ab)}
    return measure.Truth(resizing.resize(row["rgb"], size)), baselines | _colorized(
        candidate, small, row[f"ab/{place}"]
    )


def _colorized(candidate: Candidate, gray: NDArray[np.uint8], ab: Floats) -> dict[str, NDArray[np.uint8]]:
    return {name: merge(gray, np.float32(gain) * ab) for name, gain in candidate.rows.items()}


def copy_gray(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The gray image [H, W] in all three channels."""
    return np.repeat(gray[..., None], 3, axis=-1)


def _tint(gray: NDArray[np.uint8], ab: tuple[float, float]) -> NDArray[np.uint8]:
    """One chroma for every pixel."""
    plane: Floats = np.broadcast_to(np.array(ab, np.float32), (1, 1, 2))
    return merge(gray, plane)


def _rows(batch: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{name: values[i] for name, values in batch.items()} for i in range(len(batch["id"]))]


def _column(values: list[Any]) -> NDArray[Any]:
    # As an array of fixed length NumPy would strip the zero bytes that end a file; images of one size would be stacked.
    if not isinstance(values[0], (bytes, np.ndarray)):
        return np.array(values)
    column = np.empty(len(values), object)
    for i, value in enumerate(values):
        column[i] = value
    return column
