"""Bundles of every model load again; a model that is far too large is refused before it is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorize_core import Bundle, Colorizer, load_bundle, load_recipe, models
from colorize_core.bundle import save_bundle
from colorize_core.errors import BundleError, RecipeError
from colorize_core.models import sizes
from colorize_core.networks.packing import pack
from colorize_core.recipes import Recipe
from colorize_core.recipes.network import build_model

SIDE = 16
LARGE: list[tuple[str, dict[str, Any], str | None, str]] = [
    ("conv", {"widths": [65_536, 65_536]}, None, "about .* weights: at most"),
    ("unet", {"widths": [8, 9_999], "convolutions": [1, 60]}, None, "about .* weights: at most"),
    ("unet", {"widths": [8, 8], "convolutions": [1, 10_000]}, None, "convolutions add up to 10001: at most 256"),
    ("unet", {"widths": [8, 10**9], "convolutions": [1, 1]}, None, "a number in model.settings is 1000000000"),
    ("conv", {"widths": [1] * 40}, None, "more than 32 values"),
    ("dense", {"side": 4096, "bottleneck": 99}, None, "about .* weights: at most"),
    ("dense", {"side": 4096, "bottleneck": 99}, "MobileNetV2", "about .* weights: at most"),
    ("conv_dense", {"side": 4096, "widths": [8], "code": 4096}, None, "about .* weights: at most"),
]


@pytest.mark.parametrize(
    ("model", "settings", "square", "color_space"),
    [
        ("conv", {"widths": [4, 6], "up": "transpose-stride", "down": "stride"}, False, "rgb"),
        ("conv_dense", {"side": SIDE, "widths": [4, 6], "code": 8}, True, "rgb"),
        ("dense", {"side": SIDE, "widths": [20], "bottleneck": 8}, True, "lab"),
        ("unet", {"widths": [4, 6], "convolutions": [1, 2], "first_stride": 1, "dropout": 0.1}, False, "lab"),
        ("unet", {"widths": [4, 6], "convolutions": [1, 1]}, True, "rgb"),
    ],
)
def test_what_training_makes_loads_again(
    model: str, settings: dict[str, Any], square: bool, color_space: str, tmp_path: Path
) -> None:
    changes = {
        "data": {"color_space": color_space, "size": SIDE, "crop": SIDE, "inference_side": SIDE},
        "model": {"name": model, "settings": settings, "multiple": 4, "square": square},
        "training.rebalance": 0,
    }
    recipe = load_recipe("unet-lab", changes)
    network = build_model(recipe)
    package = pack(network, recipe)
    default = load_bundle("default")
    original = Bundle.create(
        recipe, package.weights, 1.5, default.training, package.onnx, package.converted
    ).with_metrics(default.metrics)
    save_bundle(original, str(tmp_path / "made"), {})
    loaded = load_bundle(str(tmp_path / "made"))
    assert loaded == original
    loaded.model()
    Colorizer(loaded).colorize(np.full((30, 40), 99, np.uint8))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("model", "settings", "encoder", "words"), LARGE)
def test_an_absurd_network_is_not_built(
    model: str, settings: dict[str, Any], encoder: str | None, words: str, forge: Callable[..., Path]
) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        models.build(model, settings, "lab", encoder=encoder)
    assert "\n" not in str(caught.value)
    original = load_bundle(str(forge()))
    raw = original.recipe.model_dump()
    changed = original.recipe.model.model_copy(update={"name": model, "settings": settings, "encoder": encoder})
    with pytest.raises(BundleError, match=f"network of {raw['name']} cannot be built from its bundle.json: .*{words}"):
        replace(original, recipe=original.recipe.model_copy(update={"model": changed})).model()


@pytest.mark.parametrize("recipe", ["cifar10-dense", "cifar100-conv-dense", "lab-conv", "unet-lab-32", "unet-lite"])
def test_shipped_networks_are_far_from_the_limit(recipe: str) -> None:
    original: Recipe = load_recipe(recipe)
    count = build_model(original).count_params()
    model = original.model
    estimate = models.estimate_weights(model.name, model.settings, has_encoder=model.encoder is not None)
    assert max(estimate, count) < sizes.MAX_WEIGHTS / 20
    if original.model.encoder is None:
        assert 0.3 < estimate / count < 3
