"""The weights file gives a model back, keeps small variances, and refuses what is not one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save

from colorize_core import Colorizer, color, load_bundle, models
from colorize_core.bundle import FAITHFUL_COLORS, weights_file
from colorize_core.bundle.facts import UnsafeError
from colorize_core.images import resizing
from colorize_core.inference.merging import merge
from colorize_core.inference.prediction import Prediction

SETTINGS = {"widths": [4, 6], "convolutions": [1, 1]}


def build() -> Any:
    return models.build("unet", SETTINGS, "lab")


def randomize(model: Any) -> None:
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(
            np.abs(rng.normal(1e-6, 1e-6, weight.shape)) if weight.shape == (4,) else rng.normal(size=weight.shape)
        )


def test_a_model_comes_back_as_it_was_packed() -> None:
    model, other = build(), build()
    randomize(model)
    before = [np.array(weight) for weight in model.weights]
    content = weights_file.pack(model)
    weights_file.fill(other, weights_file.unpack(content))
    for weight, again, original in zip(model.weights, other.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), np.asarray(again))
        if original.ndim == 1:
            np.testing.assert_array_equal(np.asarray(weight), original)  # variances of 1e-6 would be lost in float16
        else:
            np.testing.assert_allclose(np.asarray(weight), original, rtol=2**-11, atol=2**-25)
    assert weights_file.pack(other) == content
    kernels = sum(weight.size for weight in before if weight.ndim > 1)
    vectors = sum(weight.size for weight in before if weight.ndim == 1)
    assert len(content) < 2 * kernels + 4 * vectors + 200 * len(before)


def test_a_kernel_beyond_float16_stays_whole() -> None:
    model = build()
    model.get_layer("colors").kernel.assign(np.full((1, 1, 4, 2), 1e5, np.float32))
    arrays = weights_file.unpack(weights_file.pack(model))
    assert any((array == 1e5).all() for array in arrays.values())


def test_rounded_weights_change_no_pixel_by_more_than_one(photographs: dict[str, NDArray[np.uint8]]) -> None:
    """The shipped network against one with weights a tenth of a step of float16 away, which rounding would undo."""
    bundle = load_bundle("default")
    colorizer = Colorizer(bundle, engine="keras")
    model = bundle.model()
    rng = np.random.default_rng(0)
    for weight in model.weights:
        values = np.asarray(weight)
        if values.ndim > 1:  # as float32 weights were before they were rounded
            weight.assign(values * (1 + rng.uniform(-(2.0**-12), 2.0**-12, values.shape)))
    for rgb in list(photographs.values())[:2]:
        gray = resizing.resize(rgb.mean(axis=-1).astype(np.uint8), colorizer.size_for(rgb.shape[1], rgb.shape[0]))
        lightness = color.lightness(gray)
        channels = 128 * np.asarray(model((lightness / 50 - 1)[None, ..., None], training=False))[0]
        unrounded = merge(gray, Prediction(channels, lightness).ab(FAITHFUL_COLORS))
        [ab] = colorizer.predict([gray])
        difference = merge(gray, ab).astype(int) - unrounded
        assert 0 < np.abs(difference).max() <= 1


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"0000.kernel": np.zeros((3, 3), np.float32)}, "needs 0000.kernel .* and the file has 0000.kernel"),
        ({"0000.gamma": np.zeros(4, np.float32)}, "and the file has 0000.gamma"),
        ({}, "weights, and the file has 0"),
    ],
)
def test_the_weights_of_another_model_are_refused(arrays: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        weights_file.fill(build(), arrays)


def header(facts: dict[str, Any], data: bytes = b"") -> bytes:
    text = json.dumps(facts).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        header({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}),
        header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, bytes(4)),
        header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, bytes(8)),
        header({name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for name in "ab"}, bytes(4)),
        save({"a": np.zeros(2, np.int64)}),
        save({"a": np.zeros(2, np.float64)}),
        header({"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}, bytes(4)),
    ],
)
def test_what_is_no_weights_file_is_refused(content: bytes) -> None:
    with pytest.raises(UnsafeError, match=r"is not a safetensors file|are not float16 or float32"):
        weights_file.unpack(content)
