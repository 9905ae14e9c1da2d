"""Weights with PyTorch's names and order of axes give a unet that predicts the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from colorize_core import models

WIDTHS = [4, 5, 6, 7, 8]
# Each convolution by its name in PyTorch: the layer of ours, and whether it has batch norm.
CONVOLUTIONS = {
    "bottom": ("bottom", True),
    "scene1": ("whole_image", False),
    "scene2": ("whole_image_bias", False),
    **{f"skips.{level}": (f"skip{level}", True) for level in range(4)},
    **{f"narrow.{level}": (f"narrow{level}", False) for level in range(4)},
    **{f"dec.{level}": (f"decode{level}", True) for level in range(4)},
    "colors": ("colors", False),
    "logits": ("logits", False),
}
BLOCK_NORMS = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}
NORM_PARTS = ("weight", "bias", "running_mean", "running_var")
Tensors = dict[str, NDArray[Any]]


def build() -> Any:
    settings = {"widths": WIDTHS, "convolutions": [1] * 5}
    return models.build("unet", settings, "lab", encoder="EfficientNetLite0", class_step=40.0)


def randomize(model: Any) -> None:
    rng = np.random.default_rng(0)
    for layer in (*model.layers, *model.get_layer("encoder").layers):
        if layer.name not in ("odds", "encoder"):
            values = layer.get_weights()  # vectors around 1, since they may be variances
            layer.set_weights(
                [rng.uniform(0.5, 1.5, v.shape) if v.ndim == 1 else rng.normal(0, 0.2, v.shape) for v in values]
            )


def convolution(name: str, layer: Any) -> Tensors:
    """Returns the weights of a convolution as PyTorch has them: [out, in, h, w], depthwise [c, 1, h, w]."""
    kernel, *bias = layer.get_weights()
    axes = (2, 3, 0, 1) if "depthwise" in layer.name else (3, 2, 0, 1)
    return {f"{name}.weight": kernel.transpose(axes), **({f"{name}.bias": bias[0]} if bias else {})}


def norm(name: str, layer: Any) -> Tensors:
    return {f"{name}.{part}": value for part, value in zip(NORM_PARTS, layer.get_weights(), strict=True)}


def tensors_of(model: Any) -> Tensors:
    """Returns the weights of a model as the state dict of a PyTorch module has them."""
    encoder = model.get_layer("encoder")
    tensors = convolution("_conv_stem", encoder.get_layer("stem")) | norm("_bn0", encoder.get_layer("stem_norm"))
    for layer in encoder.layers:
        block, _, part = layer.name.removeprefix("block").partition("_")
        if part in BLOCK_NORMS:
            tensors |= convolution(f"_blocks.{block}._{part}_conv", layer)
            tensors |= norm(f"_blocks.{block}.{BLOCK_NORMS[part]}", encoder.get_layer(f"{layer.name}_norm"))
    for name, (ours, has_norm) in CONVOLUTIONS.items():
        tensors |= convolution(f"{name}.c" if has_norm else name, model.get_layer(ours))
        if has_norm:
            tensors |= norm(f"{name}.b", model.get_layer(f"{ours}_norm"))
    return tensors


def test_a_copy_predicts_the_same() -> None:
    from colorize_core.models import torch_unet

    original, copy = build(), build()
    randomize(original)
    inputs = np.random.default_rng(1).uniform(-1, 1, (1, 64, 96, 1)).astype(np.float32)
    expected = [np.asarray(each) for each in original(inputs, training=False)]
    before = [np.asarray(each) for each in copy(inputs, training=False)]
    assert all(np.isfinite(each).all() for each in expected)
    assert all(np.abs(one - other).max() > 0.01 for one, other in zip(before, expected, strict=True))
    torch_unet.copy_weights(copy, tensors_of(original))
    for output, wanted in zip(copy(inputs, training=False), expected, strict=True):
        np.testing.assert_array_equal(np.asarray(output), wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("dec.1.b.bias"), r"there is no tensor dec\.1\.b\.bias"),
        (lambda tensors: tensors.pop("_blocks.3._bn1.weight"), r"there is no tensor _blocks\.3\._bn1\.weight"),
        (lambda tensors: tensors.update({"dec.9.c.weight": np.zeros(1)}), r"has no layer for dec\.9\.c\.weight"),
        (lambda tensors: tensors.update({"_blocks.99._bn1.weight": np.zeros(1)}), r"has no layer for _blocks\.99"),
        (lambda tensors: tensors.update({"colors.bias": np.zeros(3)}), "shape"),
    ],
)
def test_weights_of_another_network_are_refused(change: Any, message: str) -> None:
    from colorize_core.models import torch_unet

    tensors = tensors_of(build())
    change(tensors)
    with pytest.raises(ValueError, match=message):
        torch_unet.copy_weights(build(), tensors)
