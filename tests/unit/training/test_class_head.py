"""A model with two heads learns both, and its odds reach the bundle, its ONNX file and the colors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from colorize_core.bundle import Bundle
from colorize_core.errors import RecipeError
from colorize_core.inference.colorizer import Colorizer
from colorize_core.models import classes
from colorize_core.preprocessing.pairs import to_pair
from colorize_core.recipes import Recipe, load_recipe
from colorize_core.training import losses
from colorize_core.training.batches import Batch
from colorize_core.training.checkpoints import State
from colorize_core.training.learner import Learner
from colorize_core.training.packaging import pack_best
from tests.support.small_recipe import SETTINGS

CLASS_WEIGHTS = np.linspace(0.5, 1.5, len(classes.ab_bins()), dtype=np.float32)


def recipe(**changes: Any) -> Recipe:
    small = {"model.settings.dropout": 0, "training.epochs": 40, "training.batch_size": 8, "training.loss": "psnr"}
    return load_recipe("unet-lab", SETTINGS | small | {"model.class_head": True} | changes)


@pytest.fixture
def batch(photographs: dict[str, NDArray[np.uint8]]) -> Batch:
    crops = [rgb[i * 40 : i * 40 + 32, 60:92] for rgb in list(photographs.values())[:4] for i in (1, 3)]
    return Batch(*to_pair(np.stack(crops), "luminance"))


def learner(changed: Recipe) -> Learner:
    begun = Learner(changed, tf.distribute.get_strategy())
    begun.plan(1, CLASS_WEIGHTS)
    return begun


def test_the_loss_is_the_weighted_sum_of_both(batch: Batch) -> None:
    validated = {}
    for weight in (1.5, 0.3):
        changed = recipe(**{"training.class_loss": weight})
        trained = learner(changed)
        trained.train(iter([batch] * 5))
        trained.model.get_layer("logits").bias.assign(np.linspace(-1, 1, len(CLASS_WEIGHTS)))
        validated[weight] = trained.validate(iter([batch]))["val_loss"]
        logits = np.asarray(tf.keras.Model(trained.model.input, trained.model.get_layer("logits").output)(batch.inputs))
        colors = np.asarray(trained.model(batch.inputs, training=False)[1])
        pixel = losses.pixel_criterion(changed.training)(losses.match_resolution(batch.targets, colors), colors)
        entropy = losses.cross_entropy(
            losses.match_resolution(batch.targets, logits), logits, classes.ab_bins(), CLASS_WEIGHTS
        )
        assert validated[weight] == pytest.approx(float(pixel) + weight * float(entropy), rel=1e-4)


@pytest.mark.parametrize("gan", [0.0, 0.01])
def test_both_heads_learn_and_go_on_from_a_state(batch: Batch, gan: float) -> None:
    changed = recipe(**{"training.gan": gan, "training.average": 0.9})
    trained = learner(changed)
    before = trained.validate(iter([batch]))
    trained.train(iter([batch] * 60))
    after = trained.validate(iter([batch]))
    assert after["val_loss"] < before["val_loss"] == pytest.approx(before["val_gray_loss"], rel=1e-5)
    assert after["val_mse"] < before["val_mse"]
    again = learner(changed)
    again.restore(trained.state())
    assert again.validate(iter([batch])) == pytest.approx(after, rel=1e-4)


@pytest.mark.parametrize("average", [0.0, 0.99])
def test_weights_of_the_classes_are_in_the_model(average: float, batch: Batch) -> None:
    trained = learner(recipe(**{"training.average": average}))
    trained.train(iter([batch] * 16))
    with trained.averaged():
        np.testing.assert_allclose(
            np.asarray(trained.model.get_layer("odds").log_weights), np.log(CLASS_WEIGHTS), atol=1e-5
        )


def test_a_bundle_has_faithful_and_vivid_colors_from_the_odds(
    batch: Batch, photographs: dict[str, NDArray[np.uint8]]
) -> None:
    changed = recipe(**{"training.learning_rate": 0.01})
    trained = learner(changed)
    trained.train(iter([batch] * 40))
    package = pack_best(State("", [], {}, trained.weights()), changed)
    assert package.failure == ""
    bundle = Bundle.create(changed, package.weights, 1.0, {}, package.onnx)
    gray = photographs["coffee"][:64, :64, 0]
    by_name: dict[str | float, NDArray[np.float32]] = {
        saturation: Colorizer(bundle, saturation=saturation, engine="onnx").predict([gray])[0]
        for saturation in ("faithful", "vivid", 0.5)
    }
    assert by_name["faithful"].shape == (32, 32, 2)  # odds at a quarter; colors follow outlines at half
    np.testing.assert_allclose(by_name[0.5], 0.5 * by_name["faithful"], atol=1e-4)
    assert np.abs(by_name["vivid"] - by_name["faithful"]).max() > 1
    assert np.square(by_name["vivid"]).mean() > np.square(by_name["faithful"]).mean()
    [with_keras] = Colorizer(bundle, engine="keras").predict_all([gray])
    [with_onnx] = Colorizer(bundle, engine="onnx").predict_all([gray])
    np.testing.assert_allclose(with_onnx.channels, with_keras.channels, atol=128 * 1e-4)
    spread = with_onnx.spread()
    assert spread is not None
    assert 1 < spread < 128


def test_the_step_of_the_classes_is_in_the_digest() -> None:
    digests = {Bundle.create(recipe(**{"training.ab_step": step}), b"weights", 1.0, {}).digest for step in (10, 20)}
    assert len(digests) == 2


def test_a_class_head_without_a_loss_of_its_own_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"model\.class_head needs a training\.class_loss above 0"):
        recipe(**{"training.class_loss": 0.0})
