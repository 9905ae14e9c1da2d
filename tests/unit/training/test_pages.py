"""Pages are gray where there is no photograph, and show the photograph with its colors where there is one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from colorize_core.color import ColorSpace
from colorize_core.preprocessing.pairs import to_pair
from colorize_core.training.augmentation import lay_on_pages
from colorize_core.training.pages import render

SIDE = 96


@pytest.fixture
def pair(photographs: dict[str, NDArray[np.uint8]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rgb = np.stack([each[:SIDE, :SIDE] for each in list(photographs.values())[:4]] * 25)
    inputs, targets = to_pair(rgb, "luminance")
    return inputs.astype(np.float32), targets.astype(np.float32)


def test_pages_have_every_kind_of_paper_and_print() -> None:
    rng = np.random.default_rng(0)
    photograph = np.full((SIDE, SIDE, 3), 7, np.float32)
    pages = [render(photograph, rng) for _ in range(200)]
    assert all(page.tones.shape == (SIDE, SIDE) and page.tones.dtype == np.float32 for page in pages)
    assert min(page.tones.min() for page in pages) >= 0
    assert max(page.tones.max() for page in pages) <= 1
    shares = np.array([page.is_photograph.mean() for page in pages])
    assert 0.25 < (shares == 0).mean() < 0.55  # text alone, or blank
    assert shares.max() < 0.9
    for page in pages:
        np.testing.assert_allclose(page.photograph[page.is_photograph], 7, rtol=1e-6)  # scaled
        assert (page.photograph[~page.is_photograph] == 0).all()
    tones = np.array([np.median(page.tones) for page in pages])
    assert tones.min() < 0.3
    assert tones.max() > 0.9
    printed = [np.abs(page.tones - np.median(page.tones)).max() for page in pages if not page.is_photograph.any()]
    assert np.mean(np.array(printed) > 0.2) > 0.5  # ink


@pytest.mark.parametrize("color_space", ["lab", "rgb"])
def test_only_the_photograph_keeps_a_color(
    color_space: ColorSpace, pair: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> None:
    inputs, targets = pair
    if color_space == "rgb":
        inputs, targets = (inputs + 1) / 2, np.random.default_rng(0).uniform(0, 1, (*targets.shape[:3], 3))
    before = inputs.copy(), targets.copy()
    got_in, got_out = lay_on_pages(inputs, targets.astype(np.float32), np.random.default_rng(1), 0.5, color_space)
    np.testing.assert_array_equal(inputs, before[0])
    np.testing.assert_array_equal(targets, before[1])
    changed = (got_in != inputs).any(axis=(1, 2, 3))
    assert 30 < changed.sum() < 70
    np.testing.assert_array_equal(got_out[~changed], targets[~changed].astype(np.float32))
    if color_space == "lab":
        gray = (got_out == 0).all(axis=-1)
        assert got_in.min() >= -1.2  # bicubic scaling may overshoot
    else:
        gray = (got_out == got_in).all(axis=-1)
    shares = gray[changed].mean(axis=(1, 2))
    assert (shares > 0.1).all()
    assert (shares == 1).mean() > 0.15


def test_pages_are_decided_by_their_generator(pair: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    one, again, other = (lay_on_pages(*pair, np.random.default_rng(seed), 0.3, "lab")[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
