from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.color import colorfulness
from colorize_core.evaluation.metrics import psnr
from colorize_core.evaluation.saturation import choose_odds, vivid_gain
from colorize_core.models import classes

Photographs = dict[str, NDArray[np.uint8]]


def _lab(photographs: Photographs) -> NDArray[np.float32]:
    return np.stack([color.rgb_to_lab(rgb[:128, :160]) for rgb in photographs.values()])


@pytest.mark.parametrize("part", [0.4, 0.5, 0.8, 1.0])
def test_what_was_taken_from_the_chroma_comes_back(photographs: Photographs, part: float) -> None:
    lab = _lab(photographs)
    gain, over_gray = vivid_gain(lab[..., 0], np.float32(part) * lab[..., 1:], lab[..., 1:])
    assert gain == pytest.approx(1 / part, abs=0.05)
    assert over_gray > 15  # these are nearly the true colors


def test_half_the_resolution_is_enough(photographs: Photographs) -> None:
    lab = _lab(photographs)
    small = lab[:, ::2, ::2, 1:] / 2
    gain = np.float32(vivid_gain(lab[..., 0], small, lab[..., 1:])[0])
    full = small.repeat(2, axis=1).repeat(2, axis=2)
    made = [colorfulness(color.join(each[..., 0], gain * ab)) for each, ab in zip(lab, full, strict=True)]
    truth = [colorfulness(color.join(each[..., 0], each[..., 1:])) for each in lab]
    assert np.mean(made) == pytest.approx(np.mean(truth), rel=0.05)


def test_too_much_is_taken_away_and_nothing_is_no_more_than_fourfold(photographs: Photographs) -> None:
    lab = _lab(photographs)
    assert vivid_gain(lab[..., 0], lab[..., 1:], lab[..., 1:] / 2)[0] == pytest.approx(0.5, abs=0.03)
    gain, over_gray = vivid_gain(lab[..., 0], lab[..., 1:] * 0, lab[..., 1:])
    assert gain == pytest.approx(4, abs=0.02)
    assert over_gray == pytest.approx(0, abs=0.01)


def test_wrong_colors_are_worse_than_gray(photographs: Photographs) -> None:
    lab = _lab(photographs)
    assert vivid_gain(lab[..., 0], -lab[..., 1:], lab[..., 1:])[1] < -3


@pytest.mark.parametrize("certainty", [2.0, 3.0, 5.0])
def test_odds_are_chosen_that_are_as_colorful_as_the_truth(photographs: Photographs, certainty: float) -> None:
    """The logits prefer the true class, but also gray, the more so the less certain they are."""
    lab = _lab(photographs)[:, ::4, ::4]
    bins = classes.ab_bins()
    distances = np.square(lab[..., None, 1:] - bins).sum(axis=-1)  # [n, h, w, Q]
    logits = certainty * np.exp(-distances / 200) + 3 * np.exp(-np.square(bins).sum(axis=-1) / 200)
    counts = np.exp(-np.square(bins).sum(axis=-1) / 800)
    log_weights = np.log(classes.class_weights(counts))
    faithful, odds, over_gray = choose_odds(
        lab[..., 0], logits.astype(np.float32), log_weights, lab[..., 1:], classes.STEP
    )
    dull = classes.Odds(1.0, 1.0)

    def mean_colorfulness(chosen: classes.Odds) -> float:
        ab = classes.mean_ab(logits.astype(np.float32), log_weights, chosen)
        return float(np.mean([colorfulness(color.join(*each)) for each in zip(lab[..., 0], ab, strict=True)]))

    def mean_psnr(ab: NDArray[np.float32]) -> float:
        truth = [color.join(each[..., 0], each[..., 1:]) for each in lab]
        images = [color.join(*each) for each in zip(lab[..., 0], ab, strict=True)]
        return float(np.mean([psnr(image, true) for image, true in zip(images, truth, strict=True)]))

    chosen_ab = classes.mean_ab(logits.astype(np.float32), log_weights, odds)
    assert over_gray == pytest.approx(mean_psnr(chosen_ab) - mean_psnr(0 * chosen_ab), abs=1e-4)

    def ab_of(debias: float) -> NDArray[np.float32]:
        return classes.mean_ab(logits.astype(np.float32), log_weights, classes.Odds(1.0, debias))

    best = max(mean_psnr(ab_of(debias)) for debias in np.linspace(0, 1, 11))
    assert faithful.temperature == 1
    assert mean_psnr(ab_of(faithful.debias)) > best - 0.1
    if faithful.debias > 0:
        assert mean_psnr(ab_of(max(0, faithful.debias - 0.25))) < best - 0.05  # more color would cost more
    wanted = np.mean([colorfulness(color.join(each[..., 0], each[..., 1:])) for each in lab])
    assert mean_colorfulness(dull) < 0.75 * wanted
    assert abs(mean_colorfulness(odds) / wanted - 1) < abs(mean_colorfulness(dull) / wanted - 1)
    if certainty == 5:
        assert 0.75 <= mean_colorfulness(odds) / wanted <= 1.25
