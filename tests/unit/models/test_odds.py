"""Colors from the odds of classes, against the formula written out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from colorize_core import models
from colorize_core.errors import RecipeError
from colorize_core.models import classes

SETTINGS = {"widths": [8, 12, 16], "convolutions": [1, 1, 1]}
BINS = classes.ab_bins().astype(np.float64)


def expected_moments(
    logits: NDArray[np.float64], temperature: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns mean ab [..., 2] and spread [...] of softmax(logits / temperature), in units of ab."""
    shifted = logits / temperature - (logits / temperature).max(axis=-1, keepdims=True)
    shares = np.exp(shifted) / np.exp(shifted).sum(axis=-1, keepdims=True)
    mean = shares @ BINS
    distances = np.square(BINS - mean[..., None, :]).sum(axis=-1)
    return mean, np.sqrt((shares * distances).sum(axis=-1))


@pytest.mark.parametrize("shape", [(1, 4, 6), (2, 8, 3)])
def test_moments_are_those_of_the_odds(shape: tuple[int, int, int]) -> None:
    from colorize_core.models.odds import ColorOdds

    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (*shape, len(BINS))).astype(np.float32)
    weights = rng.uniform(0.1, 5, len(BINS)).astype(np.float32)
    layer = ColorOdds()
    layer.log_weights.assign(np.log(weights))
    faithful = classes.Odds(0.9, 0.75)
    layer.faithful.assign(np.array(faithful, np.float32))
    output = np.asarray(layer(logits)) * 128
    assert output.shape == (*shape, 5)
    for odds, channels in ((faithful, slice(0, 2)), (classes.VIVID_ODDS, slice(2, 4))):
        mean, spread = expected_moments(logits.astype(np.float64) - odds.debias * np.log(weights), odds.temperature)
        np.testing.assert_allclose(output[..., channels], mean, atol=2e-3)
        np.testing.assert_allclose(classes.mean_ab(logits, np.log(weights), odds), mean, atol=2e-3)
        if odds is faithful:
            np.testing.assert_allclose(output[..., 4], spread, atol=2e-2)


def test_extreme_logits_stay_finite() -> None:
    from colorize_core.models.odds import ColorOdds

    logits = np.zeros((1, 1, 2, len(BINS)), np.float32)
    logits[0, 0, 0, 7], logits[0, 0, 1, 7] = 1e4, -1e4
    output = np.asarray(ColorOdds()(logits)) * 128
    assert np.isfinite(output).all()
    np.testing.assert_allclose(output[0, 0, 0, :2], BINS[7], atol=1e-2)
    assert output[0, 0, 0, 4] < 0.1


def test_both_heads_start_at_gray() -> None:
    """All classes are equally likely at first, so faithful colors are the mean of all bins, and colors are zero."""
    model = models.build("unet", SETTINGS, "lab", class_step=10.0)
    odds, colors = (np.asarray(each) for each in model(np.zeros((2, 16, 24, 1), np.float32)))
    assert (odds.shape, colors.shape) == ((2, 4, 6, 5), (2, 8, 12, 2))
    assert not colors.any()
    np.testing.assert_allclose(odds[..., :2] * 128, np.broadcast_to(BINS.mean(axis=0), (2, 4, 6, 2)), atol=1e-2)


def test_inference_needs_the_odds_alone() -> None:
    model = models.build("unet", SETTINGS, "lab", class_step=10.0)
    inference = models.inference_model(model)
    inputs = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 1)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(inference(inputs)), np.asarray(model(inputs)[0]))
    assert "colors" not in {layer.name for layer in inference.layers}
    plain = models.build("unet", SETTINGS, "lab")
    assert models.inference_model(plain) is plain


@pytest.mark.parametrize(
    ("name", "settings", "space"),
    [
        ("conv", {"widths": [8, 8]}, "lab"),
        ("unet", SETTINGS, "rgb"),
        ("unet", {"widths": [8], "convolutions": [1]}, "lab"),
    ],
)
def test_models_that_cannot_have_a_class_head(name: str, settings: dict[str, object], space: str) -> None:
    with pytest.raises(RecipeError, match=r"class head|widths"):
        models.build(name, settings, space, class_step=10.0)  # type: ignore[arg-type]
