"""Training starts with the weights of a bundle of the same model, or of a network from PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from colorize_core import load_bundle
from colorize_core.errors import BundleError, RecipeError
from colorize_core.models import classes
from colorize_core.recipes import Recipe, load_recipe
from colorize_core.recipes.network import build_model
from colorize_core.training import start
from colorize_core.training.learner import Learner
from tests.support.small_recipe import SETTINGS
from tests.unit.models.test_torch_unet import WIDTHS, randomize, tensors_of

COUNTS = np.arange(1, 1 + len(classes.ab_bins())) ** 2


def recipe(**changes: Any) -> Recipe:
    settings = {"model.settings.widths": WIDTHS, "model.settings.convolutions": [1] * 5, "model.multiple": 32}
    encoder = {"model.encoder": "EfficientNetLite0", "model.class_head": True}
    return load_recipe("unet-lab", SETTINGS | settings | encoder | changes)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    model = build_model(recipe())
    randomize(model)
    path = tmp_path / "network.npz"
    np.savez(path, pixels_per_bin=COUNTS, **tensors_of(model))
    return path


def test_a_bundle_gives_its_weights() -> None:
    original = load_bundle("fast")
    model = build_model(original.recipe)
    start.load_weights(model, "fast")
    expected = build_model(original.recipe)
    original.fill(expected)
    for got, weight in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(got, weight)
    settings = {"widths": [8, 8], "convolutions": [1, 1]}
    changed = original.recipe.model.model_copy(update={"settings": settings, "encoder": None, "multiple": 4})
    other = build_model(replace_model(original.recipe, changed))
    with pytest.raises(BundleError, match=r"model\.start fast has another model than the recipe"):
        start.load_weights(other, "fast")


def replace_model(original: Recipe, model: Any) -> Recipe:
    return original.model_copy(update={"model": model})


def test_a_class_head_keeps_the_weights_with_which_it_was_taught(file: Path) -> None:
    """Its logits mean nothing under other weights."""
    begun = Learner(recipe(**{"model.start": str(file)}), tf.distribute.get_strategy())
    begun.plan(1, np.ones(len(COUNTS), np.float32))
    expected = np.log(classes.class_weights(COUNTS))
    np.testing.assert_allclose(begun.model.get_layer("odds").log_weights.numpy(), expected, atol=1e-6)
    fresh = Learner(recipe(), tf.distribute.get_strategy())
    fresh.plan(1, np.ones(len(COUNTS), np.float32))
    np.testing.assert_allclose(fresh.model.get_layer("odds").log_weights.numpy(), 0, atol=1e-6)


def test_the_counts_may_be_in_a_file_beside_it(file: Path) -> None:
    with np.load(file) as arrays:
        np.savez(file.with_name("bare.npz"), **{name: arrays[name] for name in arrays if name != "pixels_per_bin"})
    np.savez(file.with_name("bare.reference.npz"), pixels_per_bin=COUNTS, other=np.zeros(3))
    model = build_model(recipe())
    start.load_weights(model, str(file.with_name("bare.npz")))
    expected = np.log(classes.class_weights(COUNTS))
    np.testing.assert_allclose(model.get_layer("odds").log_weights.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("changes", [{"model.class_head": False}, {"model.encoder": None}])
def test_weights_of_another_model_are_one_line(file: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"network\.npz does not fit the recipe, which must have the model") as caught:
        start.load_weights(build_model(recipe(**changes)), str(file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: .*No such file"),
        (b"no file of NumPy", "cannot be read: "),
        ({"a": np.zeros(1)}, r"has no array pixels_per_bin, and there is none in .*network\.reference\.npz"),
        ({"pixels_per_bin": COUNTS}, "there is no tensor _"),
        ({"pixels_per_bin": np.array([None])}, "cannot be read: .*pickle"),
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path: Path, content: Any, words: str) -> None:
    path = tmp_path / "network.npz"
    if isinstance(content, dict):
        np.savez(path, **content)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError, match=words) as caught:
        start.load_weights(build_model(recipe()), str(path))
    assert "\n" not in str(caught.value)
