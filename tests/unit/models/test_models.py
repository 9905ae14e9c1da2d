"""One contract for every registered model, head and encoder. TensorFlow computes here, on small inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from colorize_core import models
from colorize_core.errors import RecipeError
from colorize_core.images import resizing
from colorize_core.models import classes
from colorize_core.preprocessing import pairs

CONV: dict[str, Any] = {"widths": [12, 16]}
CONV_DENSE: dict[str, Any] = {"side": 32, "widths": [12, 16], "code": 24}
DENSE: dict[str, Any] = {"side": 32, "bottleneck": 32, "widths": [64]}
UNET: dict[str, Any] = {"widths": [8, 12, 16], "convolutions": [1, 1, 2]}
PLAIN = {"conv": CONV, "conv_dense": CONV_DENSE, "dense": DENSE, "unet": UNET}
CLASSES = {"ab_step": 20.0}
ENCODER = {"encoder": "MobileNet"}
SMALL: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    **{name: (name, settings, {}) for name, settings in PLAIN.items()},
    **{f"{name}, classes": (name, settings, CLASSES) for name, settings in PLAIN.items()},
    **{f"{name}, encoder": (name, settings, ENCODER) for name, settings in PLAIN.items()},
    "conv, strides": ("conv", CONV | {"down": "stride", "up": "transpose-stride"}, {}),
    "conv, transposed": ("conv", CONV | {"up": "transpose-upsample", "batch_norm": False}, {}),
    "conv_dense, plain": ("conv_dense", CONV_DENSE | {"batch_norm": False}, {}),
    "dense, batch norm": ("dense", DENSE | {"batch_norm": True, "activation": "silu"}, {}),
    "dense, gelu": ("dense", DENSE | {"activation": "gelu"}, {}),
    "dense, encoder": ("dense", DENSE | {"side": 24}, ENCODER),  # down to 3x3
    "unet, plain": ("unet", UNET | {"batch_norm": False}, {}),
}
CHANNELS = {"lab": 2, "rgb": 3}
MULTIPLE = 8


def build(name: str, color_space: Any = "lab", **more: Any) -> Any:
    model, settings, options = SMALL[name]
    return models.build(model, settings | more, color_space, **options)


def sides_of(name: str) -> list[tuple[int, int]]:
    if side := SMALL[name][1].get("side"):
        return [(side, side)]
    return [(32, 32), (16, 48), (MULTIPLE, 20 * MULTIPLE)]


@pytest.fixture(params=sorted(SMALL))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def lightness(count: int, height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, height, width, 1)).astype(np.float32)


def lightness_for(name: str, count: int) -> np.ndarray:
    return lightness(count, *sides_of(name)[0])


def test_every_model_is_here() -> None:
    assert PLAIN.keys() == models.MODELS.keys()


@pytest.mark.parametrize("color_space", sorted(CHANNELS))
def test_shapes(name: str, color_space: str) -> None:
    if "ab_step" in SMALL[name][2] and color_space == "rgb":
        with pytest.raises(RecipeError, match=r"need data.color_space lab, not rgb"):
            build(name, color_space)
        return
    model = build(name, color_space)
    for height, width in sides_of(name):
        output = np.asarray(model(lightness(3, height, width), training=False))
        assert output.shape[0] == 3
        assert output.shape[3] == CHANNELS[color_space]
        assert height / output.shape[1] == width / output.shape[2] in (1, 2, 4)
        assert output.dtype == np.float32
        low, high = {"lab": (-1, 1), "rgb": (0, 1)}[color_space]
        assert low <= output.min() <= output.max() <= high


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_an_encoder_is_a_layer_that_can_be_frozen(name: str) -> None:
    model = build(f"{name}, encoder")
    assert models.encoder_variables(model, frozen=False)
    assert models.encoder_variables(model, frozen=True) == []


def test_unet_starts_at_the_gray_copy() -> None:
    assert not np.asarray(build("unet")(lightness(2), training=False)).any()


@pytest.mark.parametrize("name", sorted(name for name in SMALL if "ab_step" in SMALL[name][2]))
def test_colors_are_the_annealed_mean_of_the_logits(name: str) -> None:
    import keras

    model, settings, options = SMALL[name]
    bins = classes.ab_bins(options["ab_step"])
    for temperature in (1.0, 0.2):
        made = models.build(model, settings, "lab", **options, temperature=temperature)
        rng = np.random.default_rng(1)
        head = made.get_layer("logits")
        head.set_weights([rng.normal(0, 1, weight.shape) for weight in head.get_weights()])
        both = keras.Model(made.input, [head.output, made.output])
        logits, colors = map(np.asarray, both(lightness_for(name, 2), training=False))
        assert logits.shape == (*colors.shape[:3], len(bins))
        odds = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
        np.testing.assert_allclose(colors, odds / odds.sum(-1, keepdims=True) @ bins / 128, atol=1e-5)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_is_for_training(name: str, dropout: float) -> None:
    model = build(name, dropout=dropout)
    model.set_weights([np.random.default_rng(1).normal(0, 0.1, w.shape) ** 2 for w in model.get_weights()])
    inputs = lightness_for(name, 2)
    outputs = [np.asarray(model(inputs, training=training)) for training in (True, True, False, False)]
    np.testing.assert_array_equal(outputs[2], outputs[3])
    assert np.array_equal(outputs[0], outputs[1]) == (dropout == 0)


def test_saved_and_loaded_is_equal(name: str, tmp_path: Path) -> None:
    model = build(name)
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.1, 0.5, weight.shape) for weight in model.get_weights()])
    model.save(tmp_path / "model.keras")
    again = build(name)
    again.load_weights(tmp_path / "model.keras")
    inputs = lightness_for(name, 2)
    outputs = [each(inputs, training=False).numpy() for each in (model, again)]
    assert outputs[0].any()
    np.testing.assert_array_equal(*outputs)


@pytest.fixture(scope="module")
def eight(photographs: dict[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Left and right half of four photographs."""
    images = [rgb[:, part] for rgb in photographs.values() for part in (slice(None, 256), slice(256, None))]
    return [np.ascontiguousarray(image) for image in images]


def test_overfits_eight_photographs_with_a_gradient_to_every_weight(name: str, eight: list[NDArray[np.uint8]]) -> None:
    import keras
    import tensorflow as tf

    from colorize_core.training import losses

    keras.utils.set_random_seed(0)
    model = build(name)
    side = sides_of(name)[0][0]
    inputs, targets = pairs.to_pair(np.stack([resizing.to_square(rgb, side, "center") for rgb in eight]), "luminance")
    targets = np.asarray(losses.match_resolution(targets, model(inputs[:1])))
    deep = "encoder" in SMALL[name][2]
    optimizer = keras.optimizers.Adam(0.01 if deep else 0.004)
    step_of_ab = SMALL[name][2].get("ab_step")
    network = keras.Model(model.input, [model.get_layer("logits").output, model.output]) if step_of_ab else model
    weights = np.ones(len(classes.ab_bins(step_of_ab or 10)), np.float32)

    @tf.function(autograph=False)
    def step() -> Any:
        with tf.GradientTape() as tape:
            output = network(inputs, training=True)
            if step_of_ab:
                loss = losses.cross_entropy(targets, output[0], classes.ab_bins(step_of_ab), weights)
            else:
                loss = tf.reduce_mean(tf.square(output - targets))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return tf.stack([tf.reduce_max(tf.abs(gradient)) for gradient in gradients])

    reached = np.zeros(len(model.trainable_variables), bool)
    for _ in range(120 if deep else 150):
        reached |= step().numpy() > 0
    assert reached.all(), [v.path for v, ok in zip(model.trainable_variables, reached, strict=True) if not ok]
    error = np.square(np.asarray(model(inputs, training=False)) - targets).mean()
    one_color = np.square(targets - targets.mean((0, 1, 2))).mean()  # the best that is blind to the photographs
    assert error < 0.5 * one_color


def test_unknown_names_and_settings_are_named() -> None:
    with pytest.raises(RecipeError, match=f"choose from {', '.join(sorted(models.MODELS))}"):
        models.build("nothing", {}, "lab")
    with pytest.raises(RecipeError, match="depth"):
        models.build("unet", {"depth": 3}, "lab")
    with pytest.raises(RecipeError, match="unet"):
        models.build("unet", {"widths": [8, 8], "convolutions": [1]}, "lab")
    with pytest.raises(RecipeError, match="activation is 'tanh'; choose from relu, silu, gelu"):
        models.build("dense", DENSE | {"activation": "tanh"}, "lab")
    with pytest.raises(RecipeError, match="down is 'strde'; choose from pool, stride"):
        models.build("conv", CONV | {"down": "strde"}, "lab")
    with pytest.raises(RecipeError, match="up is 'bilinear'; choose from upsample, transpose-upsample, transpose-str"):
        models.build("conv", CONV | {"up": "bilinear"}, "lab")
    with pytest.raises(RecipeError, match="first_stride is 3; choose from 1, 2"):
        models.build("unet", UNET | {"first_stride": 3}, "lab")


def test_what_is_no_truth_value_is_refused(name: str) -> None:
    for value in ("no thanks", 1, None):
        with pytest.raises(RecipeError, match=f"batch_norm is {value!r}; choose from true, false"):
            build(name, batch_norm=value)
