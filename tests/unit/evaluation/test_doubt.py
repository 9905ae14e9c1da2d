"""Doubt is calibrated on the errors of validation images, and its quality is measured on others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_core import load_bundle
from colorize_core.color import rgb_to_lab
from colorize_core.datasets.splits import SPLITS, SplitRule
from colorize_core.evaluation import doubt, row_sources
from colorize_core.evaluation.comparison import Candidate, column
from colorize_core.evaluation.doubt import calibrate_doubt, measure_doubt
from colorize_core.evaluation.image_rows import ReadImage
from colorize_core.evaluation.metrics import rmse_ab
from colorize_core.inference.colorizer import Colorizer


@pytest.fixture
def folder(photographs: dict[str, NDArray[np.uint8]], tmp_path: Path) -> Path:
    """Returns a folder with parts of photographs, enough for every split."""
    for name, rgb in photographs.items():
        for i in range(12):
            part = rgb[10 * i : 10 * i + 96, 8 * i : 8 * i + 128]
            Image.fromarray(part).save(tmp_path / f"{name}-{i}.png")
    return tmp_path


def test_the_scale_is_that_of_the_images(folder: Path) -> None:
    bundle = load_bundle("fast")
    colorizer = Colorizer(bundle)
    errors = []
    with row_sources.opened("local", f"folder:{folder}", SPLITS, {"onnx"}) as sources:
        images = sources["train"]
        count = sum(map(len, images.batches()))
        scale = calibrate_doubt(images, count, bundle)
        for batch in images.batches():
            for image in batch:
                result = np.asarray(colorizer.colorize(image.gray_by(bundle.recipe.data.gray)))
                errors.append(rmse_ab(rgb_to_lab(image.rgb), rgb_to_lab(result)))
    if scale:  # so few photographs may have no rise
        assert min(errors) <= np.mean(scale.errors) <= max(errors)
        assert np.mean(scale.errors) == pytest.approx(np.mean(errors), rel=0.1)
    without = bundle.recipe.model_copy(update={"model": bundle.recipe.model.model_copy(update={"class_head": False})})
    import dataclasses

    assert calibrate_doubt(images, count, dataclasses.replace(bundle, recipe=without)) is None


@pytest.mark.parametrize("count", [14_000, 100_000, 200_000])
def test_about_400_validation_images_are_chosen_from_any_number(count: int) -> None:
    """Although another hash of the same ids has chosen those images from all."""
    rule = SplitRule(val=0.05, test=0.05)
    val = [name for name in (f"album/{i}.jpg" for i in range(count)) if rule.of(name) == "val"]
    pixels = np.zeros((1, 1, 3), np.uint8)
    is_chosen = doubt._IsChosen(doubt._MOST_IMAGES / len(val))
    chosen = sum(is_chosen(ReadImage(name, "val", pixels, None, "", "")) for name in val)
    assert chosen == pytest.approx(min(400, len(val)), rel=0.2)


def test_quality_is_the_rank_correlation_and_the_calibration() -> None:
    bundle = load_bundle("fast")
    candidate = Candidate("fast", bundle, bundle.colorings())
    doubts = np.arange(1, 41, dtype=np.float32)
    errors = doubts + np.tile([0.75, -0.75], 20)  # each pair changes places
    columns = {"doubt/fast": doubts, column("full", "fast faithful", "rmse_ab"): errors.astype(np.float32)}
    quality = measure_doubt(columns, candidate)
    assert quality
    distances = np.square(np.argsort(np.argsort(errors)) - np.arange(40))
    assert quality.spearman == pytest.approx(1 - 6 * distances.sum() / (40 * (40**2 - 1)))
    assert [group.images for group in quality.groups] == [10] * 4
    assert [group.doubt for group in quality.groups] == [5.5, 15.5, 25.5, 35.5]
    assert [group.error for group in quality.groups] == [5.5, 15.5, 25.5, 35.5]
    assert measure_doubt({}, candidate) is None
    constant = columns | {"doubt/fast": np.ones(40, np.float32)}
    flat = measure_doubt(constant, candidate)
    assert flat
    assert flat.facts()["spearman"] is None
