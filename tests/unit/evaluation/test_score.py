"""Tests which candidates are compared and which images are shown; tests/jobs/test_evaluate.py tests the numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from colorize_core import load_bundle
from colorize_core.bundle import Coloring
from colorize_core.evaluation import score
from colorize_core.evaluation.comparison import Candidate, Comparison
from colorize_core.evaluation.image_rows import PredictedImage, ReadImage
from colorize_core.evaluation.measurements import extremes
from colorize_core.inference.prediction import Prediction


@pytest.mark.parametrize(
    ("images", "best", "median", "worst"),
    [
        (1, [0], [], []),
        (2, [0], [], [1]),
        (3, [0], [1], [2]),
        (4, [0], [1], [3]),
        (7, [0, 1], [2, 3], [5, 6]),
        (12, [0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]),
        (101, [0, 1, 2, 3], [48, 49, 50, 51], [97, 98, 99, 100]),
    ],
)
def test_extremes(images: int, best: list[int], median: list[int], worst: list[int]) -> None:
    """The image of rank 0 is the best; they come in any order."""
    ranks = np.random.default_rng(0).permutation(images)
    columns = {"id": np.array([f"{rank}" for rank in ranks], object), "full/mine/psnr": 50.0 - ranks}
    found = extremes(columns, "mine", 4)
    assert [[int(name) for name in found[group]] for group in ("best", "median", "worst")] == [best, median, worst]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Two bundles that see different grays."""
    one = load_bundle("default")
    recipe = one.recipe.model_copy(update={"data": one.recipe.data.model_copy(update={"gray": "average"})})
    colorings = {"faithful": Coloring("faithful", 1.0), "vivid": Coloring("faithful", 2.0)}
    two = replace(one, recipe=recipe)
    return Comparison([Candidate("one", one, colorings), Candidate("two", two, colorings)], (3.0, 8.0))


def _row(photographs: dict[str, NDArray[np.uint8]], gray: NDArray[np.uint8] | None = None) -> PredictedImage:
    ab = np.full((40, 56, 2), (5, -5), np.float32)
    return PredictedImage(
        ReadImage("c", "test", photographs["coffee"][:200, :300], gray, "", ""), (Prediction(ab), Prediction(ab))
    )


def test_each_gray_has_its_baselines(comparison: Comparison, photographs: dict[str, NDArray[np.uint8]]) -> None:
    metrics = score._measure_image(_row(photographs), comparison, ()).metrics
    tables = comparison.tables()
    grays = [f"{name} ({formula})" for formula in ("luminance", "average") for name in ("gray copy", "mean chroma")]
    assert tables["full"] == [*grays, "one faithful", "one vivid", "two faithful", "two vivid"]
    for scale, rows in tables.items():
        for row in rows:
            assert f"{scale}/{row}/psnr" in metrics
    for formula in ("luminance", "average"):
        gray = {"luminance": [0.299, 0.587, 0.114], "average": [1 / 3] * 3}[formula]
        truth = photographs["coffee"][:200, :300]
        copy = np.rint(truth @ gray)[..., None]
        error = np.mean(((truth - copy) / 255) ** 2)
        assert metrics[f"full/gray copy ({formula})/mse"] == pytest.approx(error, rel=1e-3)
    assert comparison.baselines_of(comparison.candidates[1], "full") == grays[2:]
    assert comparison.baselines_of(comparison.candidates[1], "as two sees it") == ["gray copy", "mean chroma"]


def test_a_gain_multiplies_the_chroma(comparison: Comparison, photographs: dict[str, NDArray[np.uint8]]) -> None:
    metrics = score._measure_image(_row(photographs), comparison, ()).metrics
    faithful, vivid = (metrics[f"full/one {name}/colorfulness"] for name in ("faithful", "vivid"))
    assert vivid == pytest.approx(2 * faithful, rel=0.1)


def test_a_gray_of_its_own_is_used(comparison: Comparison, photographs: dict[str, NDArray[np.uint8]]) -> None:
    row = _row(photographs, gray=np.zeros((200, 300), np.uint8))
    metrics = score._measure_image(row, comparison, ()).metrics
    error = np.mean((photographs["coffee"][:200, :300] / 255.0) ** 2)
    assert metrics["full/gray copy (luminance)/mse"] == pytest.approx(error, rel=1e-5)


def test_pictures_are_of_those_that_were_asked_for(
    comparison: Comparison, photographs: dict[str, NDArray[np.uint8]]
) -> None:
    shown = score._measure_image(_row(photographs), comparison, {"c"}).pictures
    hidden = score._measure_image(_row(photographs), comparison, {"other"}).pictures
    assert set(shown) == {"gray", "truth", "one faithful", "one vivid", "two faithful", "two vivid"}
    assert all(content.startswith(b"\x89PNG") for content in shown.values())
    assert hidden == {}
