"""One contract for every registered model. TensorFlow computes here, on small inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorize_core import models
from colorize_core.errors import RecipeError

SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "conv": ("conv", {"widths": [12, 16]}),
    "conv, strides": ("conv", {"widths": [12, 16], "down": "stride", "up": "transpose-stride"}),
    "conv, transposed": ("conv", {"widths": [12, 16], "up": "transpose-upsample", "batch_norm": False}),
    "conv_dense": ("conv_dense", {"side": 32, "widths": [12, 16], "code": 24}),
    "dense": ("dense", {"side": 32, "bottleneck": 32, "widths": [64]}),
    "unet": ("unet", {"widths": [8, 12, 16], "convolutions": [1, 1, 2]}),
}
CHANNELS = {"lab": 2, "rgb": 3}
MULTIPLE = 8


def build(name: str, color_space: str = "lab", **more: Any) -> Any:
    model, settings = SMALL[name]
    return models.build(model, settings | more, color_space)


@pytest.fixture(params=sorted(SMALL))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def lightness(count: int, height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, height, width, 1)).astype(np.float32)


def test_every_model_is_here() -> None:
    assert {model for model, _ in SMALL.values()} == set(models.BUILDERS)


@pytest.mark.parametrize("color_space", sorted(CHANNELS))
@pytest.mark.parametrize(("height", "width"), [(32, 32), (16, 48), (MULTIPLE, 20 * MULTIPLE)])
def test_shapes(name: str, color_space: str, height: int, width: int) -> None:
    if "side" in SMALL[name][1]:
        height = width = 32  # the only size that it takes
    output = np.asarray(build(name, color_space)(lightness(3, height, width), training=False))
    assert output.shape[0] == 3
    assert output.shape[3] == CHANNELS[color_space]
    assert height / output.shape[1] == width / output.shape[2] in (1, 2, 4)
    assert output.dtype == np.float32
    low, high = {"lab": (-1, 1), "rgb": (0, 1)}[color_space]
    assert low <= output.min() <= output.max() <= high


def test_unet_starts_at_the_gray_copy() -> None:
    assert not np.asarray(build("unet")(lightness(2), training=False)).any()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_is_for_training(name: str, dropout: float) -> None:
    model = build(name, dropout=dropout)
    model.set_weights([np.random.default_rng(1).normal(0, 0.1, w.shape) ** 2 for w in model.get_weights()])
    outputs = [np.asarray(model(lightness(2), training=training)) for training in (True, True, False, False)]
    np.testing.assert_array_equal(outputs[2], outputs[3])
    assert np.array_equal(outputs[0], outputs[1]) == (dropout == 0)


def test_saved_and_loaded_is_equal(name: str, tmp_path: Path) -> None:
    model = build(name)
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.1, 0.5, weight.shape) for weight in model.get_weights()])
    model.save(tmp_path / "model.keras")
    again = build(name)
    again.load_weights(tmp_path / "model.keras")
    inputs = lightness(2)
    outputs = [each(inputs, training=False).numpy() for each in (model, again)]
    assert outputs[0].any()
    np.testing.assert_array_equal(*outputs)


def test_overfits_eight_images_with_a_gradient_to_every_weight(name: str) -> None:
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    model = build(name)
    optimizer = keras.optimizers.Adam(0.01)
    inputs = tf.constant(lightness(8))
    targets = tf.random.stateless_uniform(model(inputs, training=False).shape, (1, 2), -0.3, 0.3)
    targets = tf.reduce_mean(targets, axis=(1, 2), keepdims=True) + 0.1 * tf.sign(targets[:, :1, :1])  # one per image

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(inputs, training=True) - targets))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss, [tf.reduce_max(tf.abs(gradient)) for gradient in gradients]

    first = float(step()[0])
    reached = np.zeros(len(model.trainable_variables), bool)
    for _ in range(150):
        loss, largest = step()
        reached |= np.array([float(value) > 0 for value in largest])
    assert float(loss) < 0.1 * first
    assert reached.all(), [v.path for v, ok in zip(model.trainable_variables, reached, strict=True) if not ok]


def test_unknown_names_and_settings_are_named() -> None:
    with pytest.raises(RecipeError, match="choose from conv, conv_dense, dense, unet"):
        models.build("resnet", {}, "lab")
    with pytest.raises(RecipeError, match="depth"):
        models.build("unet", {"depth": 3}, "lab")
    with pytest.raises(RecipeError, match="unet"):
        models.build("unet", {"widths": [8, 8], "convolutions": [1]}, "lab")
