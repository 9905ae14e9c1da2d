"""Steps of one replica, schedules, and the adversarial pair. TensorFlow computes here, on small inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from colorize_core.bundle import Bundle, load_bundle
from colorize_core.models import classes
from colorize_core.preprocessing.pairs import to_pair
from colorize_core.recipes import Recipe, load_recipe
from colorize_core.recipes.network import build_model
from colorize_core.training import adversarial, hardware
from colorize_core.training.checkpoints import State
from colorize_core.training.learner import Learner
from colorize_core.training.packaging import pack_best
from colorize_core.training.schedules import Schedule
from tests.support.small_recipe import SETTINGS

SMALL = SETTINGS | {
    "model.settings.dropout": 0.1,
    "training.rebalance": 0,
    "training.warmup": 0,
    "training.epochs": 40,
    "training.batch_size": 8,
}
Photographs = dict[str, NDArray[np.uint8]]


def recipe(**more: Any) -> Recipe:
    return load_recipe("unet-lab", SMALL | more)


@pytest.fixture
def batch(photographs: Photographs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    cuts = [rgb[i * 40 : i * 40 + 32, 60:92] for rgb in list(photographs.values())[:4] for i in (1, 3)]
    return to_pair(np.stack(cuts), "luminance")


def learner(made: Recipe, *, compile_all: bool = False) -> Learner:
    begun = Learner(made, tf.distribute.get_strategy(), compile_all=compile_all)
    begun.plan(1)
    return begun


def times(batch: Any, count: int) -> Iterator[Any]:
    return iter([batch] * count)


def test_training_starts_with_the_weights_of_a_bundle() -> None:
    made = load_bundle("default")
    start = made.recipe.model_copy(update={"model": made.recipe.model.model_copy(update={"start": "default"})})
    got = learner(start).model.get_weights()
    expected = build_model(made.recipe)
    made.fill(expected)
    for one, other in zip(got, expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("rate", [0.0, 0.1, 1.0])
def test_the_encoder_learns_at_a_rate_of_its_own(batch: Any, rate: float) -> None:
    """Adam's first step is the rate in size, whatever the gradient: warm-up and decay are off."""
    settings = {"model.encoder": "EfficientNetLite0", "training.encoder_rate": rate, "training.schedule": "constant"}
    made = recipe(**settings, **{"training.weight_decay": 0, "training.learning_rate": 1e-3, "model.multiple": 8})
    trainer = learner(made)
    encoder = trainer.model.get_layer("encoder")
    before = [[w.copy() for w in part.get_weights()] for part in (encoder, trainer.model.get_layer("colors"))]
    trainer.train(times(batch, 1))
    after = [part.get_weights() for part in (encoder, trainer.model.get_layer("colors"))]
    moved = [
        max(float(np.abs(new - old).max()) for new, old in zip(news, olds, strict=True) if new.ndim > 1)
        for news, olds in zip(after, before, strict=True)
    ]
    assert moved[1] == pytest.approx(1e-3, rel=0.1)
    # The head starts at zero, so the first step's gradient stops there; the second one reaches the encoder.
    trainer.train(times(batch, 1))
    moved = max(
        float(np.abs(new - old).max())
        for new, old in zip(encoder.get_weights(), before[0], strict=True)
        if new.ndim > 1
    )
    assert moved <= 2e-3 * rate
    assert (moved > 0) == (rate > 0)
    kept = trainer.state()
    again = learner(made)
    again.restore(kept)
    np.testing.assert_equal(again.state(), kept)


@pytest.mark.parametrize(("gan", "loss"), [(0.0, "mse"), (0.01, "mse"), (0.0, "psnr"), (0.0, "ab-classification")])
def test_it_learns_and_goes_on_from_a_state_as_if_nothing_had_been(batch: Any, gan: float, loss: str) -> None:
    trainer = learner(recipe(**{"training.gan": gan, "training.loss": loss}))
    before = trainer.validate(times(batch, 1))
    trainer.train(times(batch, 20))
    kept = trainer.state()
    assert any(name.startswith("discriminator/") for name in kept) == bool(gan)
    expected = [trainer.train(times(batch, 3)) for _ in range(2)], trainer.validate(times(batch, 1))
    assert expected[1]["val_loss"] < before["val_loss"] == pytest.approx(before["val_gray_loss"], rel=1e-5)
    assert before["val_mse"] == pytest.approx(before["val_gray_mse"], rel=0.3 if loss == "ab-classification" else 1e-6)
    again = learner(recipe(**{"training.gan": gan, "training.loss": loss, "training.seed": 5}))
    again.restore(kept)
    for name, value in again.state().items():
        np.testing.assert_array_equal(value, kept[name])
    found = [again.train(times(batch, 3)) for _ in range(2)], again.validate(times(batch, 1))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5)
    assert found[1] == pytest.approx(expected[1], rel=1e-4)


def test_the_mean_of_the_weights_is_what_is_kept(batch: Any) -> None:
    """Worked out here step by step: of 48 steps those at 16, 32 and 48 count."""
    made = recipe(**{"training.average": 0.99, "model.settings.dropout": 0})
    trainer = learner(made)
    plain = learner(recipe(**{"model.settings.dropout": 0}))
    expected = plain.weights()
    for taken in (1, 2, 3):
        for each in (trainer, plain):
            each.train(times(batch, 16))
        momentum = min(0.99**16, (1 + taken) / (10 + taken))
        expected = {name: momentum * expected[name] + (1 - momentum) * now for name, now in plain.weights().items()}
    for name, value in trainer.weights().items():
        if value.dtype == np.float32:  # others are states of random generators
            np.testing.assert_allclose(value, expected[name], atol=1e-5)
    assert trainer.validate(times(batch, 1)) != plain.validate(times(batch, 1))
    assert not np.array_equal(trainer.predict(batch[0]), plain.predict(batch[0]))
    again = learner(made)
    again.restore(trainer.state())
    np.testing.assert_equal(again.weights(), trainer.weights())
    assert [again.train(times(batch, 17))] == pytest.approx([trainer.train(times(batch, 17))], rel=1e-5)
    np.testing.assert_allclose(again.predict(batch[0]), trainer.predict(batch[0]), atol=1e-5)


@pytest.mark.parametrize("loss", ["mse", "ab-classification"])
def test_a_step_that_was_traced_before_the_data_are_known_follows_their_plan(batch: Any, loss: str) -> None:
    made = recipe(**{"training.warmup": 0.1, "model.settings.dropout": 0, "training.loss": loss})
    weights = np.linspace(0.5, 1.5, len(classes.ab_bins(10)), dtype=np.float32) if loss == "ab-classification" else None
    told = {}
    for name, is_traced_first in (("traced", True), ("planned", False)):
        begun = Learner(made, tf.distribute.get_strategy())
        if is_traced_first:
            begun.trace(len(batch[0]))
        begun.plan(2, weights)
        told[name] = [begun.train(times(batch, 3)), begun.train(times(batch, 20)), begun.rate()]
    assert told["traced"] == told["planned"]
    assert told["traced"][2] == pytest.approx(float(planned_rate(made, 2 * 40, 23)))
    other = Learner(made, tf.distribute.get_strategy())
    other.plan(3, weights)
    assert [other.train(times(batch, 3)), other.train(times(batch, 20))] != told["planned"][:2]


def planned_rate(made: Recipe, steps: int, step: int) -> float:
    """Returns the learning rate by the formula of cosine decay after a linear warm-up."""
    warmup = int(steps * made.training.warmup)
    return made.training.learning_rate * 0.5 * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup)))


def test_a_color_gain_is_in_the_weights_that_are_left(batch: Any) -> None:
    trainer = learner(recipe())
    trainer.train(times(batch, 5))
    state = State("", [], {}, trainer.weights())
    said = [
        np.asarray(Bundle.create(made, packed.weights, 1.0, {}).model()(batch[0], training=False))
        for made in (recipe(), recipe(**{"training.color_gain": 2.0}))
        for packed in [pack_best(state, made)]
    ]
    assert np.abs(said[0]).max() > 0.01
    np.testing.assert_allclose(said[1], 2 * said[0], atol=1e-6)  # doubling commutes with rounding to float16


def test_compiled_by_xla_a_step_is_the_same(batch: Any) -> None:
    made = recipe(**{"model.settings.dropout": 0})
    plain = learner(made)
    compiled = learner(made, compile_all=True)
    losses = [each.train(times(batch, 5)) for each in (plain, compiled)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_the_discriminator_learns_to_tell_apart(batch: Any) -> None:
    inputs, targets = map(tf.constant, batch)
    discriminator = adversarial.discriminator(2)
    optimizer = keras.optimizers.Adam(1e-3)
    losses = []
    for _ in range(30):
        with tf.GradientTape() as tape:
            true, made = discriminator([inputs, targets]), discriminator([inputs, tf.zeros_like(targets)])
            loss = adversarial.discriminator_loss(true, made)
        optimizer.apply(tape.gradient(loss, discriminator.trainable_variables), discriminator.trainable_variables)
        losses.append(float(loss))
    assert true.shape == (len(inputs), 4, 4, 1)
    assert losses[0] == pytest.approx(np.log(2), abs=0.3)
    assert losses[-1] < 0.5 * losses[0]
    assert float(adversarial.generator_loss(made)) > np.log(2) > float(adversarial.generator_loss(true))


def test_a_loss_that_is_no_number_is_an_error(batch: Any) -> None:
    trainer = learner(recipe())
    with pytest.raises(FloatingPointError):
        trainer.train(times((batch[0], batch[1] * np.float32(np.nan)), 1))
    with pytest.raises(FloatingPointError):
        trainer.validate(times((batch[0] * np.float32(np.nan), batch[1]), 1))


@pytest.mark.parametrize(
    ("schedule", "middle", "end"), [("cosine", 0.5, 0.0), ("exponential", 0.1, 0.01), ("constant", 1.0, 1.0)]
)
def test_schedules(schedule: str, middle: float, end: float) -> None:
    settings = recipe(**{"training.schedule": schedule, "training.warmup": 0.2, "training.learning_rate": 0.5}).training
    rate = Schedule(settings)
    rate.plan(100)
    rising = [float(rate(step)) for step in range(21)]
    assert rising == sorted(rising)
    assert 0 < rising[0] < rising[20] == pytest.approx(0.5)
    assert float(rate(60)) == pytest.approx(0.5 * middle, abs=1e-6)
    assert float(rate(100)) == pytest.approx(0.5 * end, abs=1e-6)


def test_precision_is_lower_only_where_the_hardware_is_made_for_it() -> None:
    assert hardware.precision_for([]) == "float32"
    assert hardware.precision_for([(9, 0), (8, 0)]) == "mixed_bfloat16"
    assert hardware.precision_for([(9, 0), (7, 5)]) == "float32"


def test_in_lower_precision_the_colors_stay_in_float32(batch: Any) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        trainer = learner(recipe())
        assert trainer.train(times(batch, 2)) > 0
        assert trainer.predict(batch[0]).dtype == np.float32
        assert {value.dtype.name for value in trainer.weights().values()} == {"float32", "int64"}  # a generator's state
    finally:
        keras.config.set_dtype_policy("float32")
