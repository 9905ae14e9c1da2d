"""The schema of a recipe: defaults, ranges, and settings that depend on each other."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from colorize_core.errors import RecipeError
from colorize_core.recipes import Recipe, load_recipe
from tests.unit.recipes.files import MINIMAL, minimal_with, written

STRIDES = [{"widths": [8, 8], "first_stride": stride} for stride in (float("inf"), float("nan"), "x", None)]
NEEDS = {
    "celeba-conv": (16, False),
    "cifar10-conv": (4, False),
    "cifar10-dense": (32, True),
    "cifar100-conv-dense": (32, True),
    "lab-conv": (8, False),
    "unet-lab": (16, False),
    "unet-lab-32": (8, False),
    "unet-lite": (32, False),
    "unet-lite-32": (32, False),
}


@pytest.mark.parametrize("name", NEEDS)
def test_multiple_and_square_follow_from_the_model_unless_they_are_given(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    assert (recipe.model.multiple, recipe.model.square) == NEEDS[name]
    raw = recipe.model_dump()
    assert list(raw["model"])[:4] == ["name", "settings", "multiple", "square"]
    del raw["model"]["multiple"], raw["model"]["square"]
    assert load_recipe(written(tmp_path, raw)) == recipe
    given = load_recipe(name, {"model.multiple": 2, "model.square": False})
    assert (given.model.multiple, given.model.square) == (2, False)


@pytest.mark.parametrize(
    "settings",
    [None, "x", [8], {}, *({"widths": widths} for widths in (None, 8, {}, [8] * 33)), *STRIDES],
)
def test_settings_from_which_no_multiple_follows_are_refused(tmp_path: Path, settings: Any) -> None:
    raw = copy.deepcopy(MINIMAL)
    raw["model"] = {"name": "unet", "settings": settings}
    with pytest.raises(RecipeError, match=r"settings of unet: (widths|first_stride) is |model\.settings: "):
        load_recipe(written(tmp_path, raw))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model.name": "foo"}, "recipe unet-lab: model: name is 'foo'; choose from conv, conv_dense, dense, unet"),
        ({"model.settings": {}}, "recipe unet-lab: model: settings of unet: widths is missing"),
        ({"model.settings.widths": 5}, "settings of unet: widths is 5, must be a list of 1 to 32 numbers"),
        ({"model.settings.first_stride": "x"}, "first_stride is 'x', must be a whole number from 1 to 65,536"),
    ],
)
def test_the_setting_that_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("unet-lab", change)
    assert message in str(caught.value)


def test_a_file_with_the_defaults(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, MINIMAL))
    assert recipe.model_dump() == {
        "name": "mine",
        "data": {
            "color_space": "lab",
            "gray": "luminance",
            "size": 40,
            "crop": 32,
            "min_scale": 1.0,
            "flip": True,
            "aged": 0.0,
            "framed": 0.0,
            "on_pages": 0.0,
            "inference_side": 64,
            "mirrored": False,
        },
        "model": {
            "name": "unet",
            "settings": {},
            "multiple": 16,
            "square": False,
            "encoder": None,
            "encoder_weights": "none",
            "start": "none",
            "class_head": False,
        },
        "training": {
            "loss": "l1",
            "ab_step": 10.0,
            "temperature": 0.38,
            "class_loss": 1.0,
            "rebalance": 0.0,
            "epochs": 3,
            "batch_size": 8,
            "learning_rate": 0.001,
            "warmup": 0.05,
            "schedule": "cosine",
            "weight_decay": 0.0,
            "average": 0.0,
            "gan": 0.0,
            "encoder_rate": 1.0,
            "color_gain": 1.0,
            "patience": None,
            "keep": 2,
            "samples_every": 5,
            "seed": 0,
        },
    }


def test_a_recipe_survives_json(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, minimal_with("model.settings", {"widths": [8, 16], "dropout": 0.1})))
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_a_recipe_does_not_change(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, MINIMAL))
    with pytest.raises(ValidationError, match="frozen"):
        recipe.training.epochs = 9


@pytest.mark.parametrize(
    ("dotted", "value", "message"),
    [
        ("data.size", 7, "data.size: .*greater than or equal to 8 .got 7."),
        ("data.size", "large", "data.size: .*valid integer.* .got 'large'."),
        ("data.size", 4097, "data.size: .*less than or equal to 4096 .got 4097."),
        ("data.crop", 10**9, "data.crop: .*less than or equal to 4096"),
        ("data.inference_side", 20_000, "data.inference_side: .*less than or equal to 4096 .got 20000."),
        ("model.multiple", 10**9, "model.multiple: .*less than or equal to 4096"),
        (
            "model.settings",
            {"widths": [8, 10**9]},
            "model: .*a number in model.settings is 1000000000: the largest allowed is",
        ),
        ("model.settings", {"dropout": float("nan")}, "model: .*a number in model.settings is nan"),
        ("model.settings", {"widths": [8] * 33}, "model: .*more than 32 values"),
        ("model.settings", {"widths": [[[[[8]]]]]}, "model: .*nested too deep"),
        ("model.settings", {"a\x1b": 1}, r"model: .*control character or markup .'.x1b'."),
        ("training.epochs", 10**7, "training.epochs: .*less than or equal to 1000000"),
        ("training.batch_size", 10**6, "training.batch_size: .*less than or equal to 65536"),
        ("training.keep", 10**7, "training.keep: .*less than or equal to 1000000"),
        ("training.samples_every", 10**7, "training.samples_every: .*less than or equal to 1000000"),
        ("training.patience", 10**7, "training.patience: .*less than or equal to 1000000"),
        ("name", "a<b", "name: .*control character or markup .'<'. in it: remove it"),
        ("name", "a\nb", "name: .*control character or markup"),
        ("model.start", "x" * 10_001, "model.start: .*at most 10000 characters"),
        ("model.encoder_weights", "x" * 1_000_000, "model.encoder_weights: .*at most 10000 characters"),
        ("data.crop", 41, r"data: .*crop \(41\) is larger than size \(40\)"),
        ("data.crop", 24, r"data.crop \(24\) is not a multiple of model.multiple \(16\)"),
        ("data.min_scale", 0, "data.min_scale: .*greater than 0"),
        ("data.min_scale", 1.01, "data.min_scale: .*less than or equal to 1"),
        ("data.gray", "grey", "data.gray: .*'luminance', 'average' or 'lightness' .got 'grey'."),
        ("data.color_space", "hsv", "data.color_space: .*'lab'"),
        ("model.multiple", 0, "model.multiple: .*greater than or equal to 1"),
        ("training.loss", "l3", "training.loss: .*'l1', 'mse', 'huber', 'psnr' or 'ab-classification'"),
        ("training.ab_step", 4, "training.ab_step: .*greater than or equal to 5"),
        ("training.temperature", 0, "training.temperature: .*greater than 0"),
        ("model.encoder", "Inception", "model: .*encoder is 'Inception'; choose from ConvNeXtTiny, .*VGG19"),
        ("model.encoder_weights", "imagenet", "model: .*encoder_weights imagenet need an encoder"),
        ("training.rebalance", -1, "training.rebalance: .*greater than or equal to 0"),
        ("training.epochs", 0, "training.epochs: .*greater than or equal to 1"),
        ("training.epochs", 1.5, "training.epochs: .*valid integer"),
        ("training.batch_size", -8, "training.batch_size: .*greater than or equal to 1"),
        ("training.learning_rate", 0, "training.learning_rate: .*greater than 0"),
        ("training.learning_rate", float("nan"), "training.learning_rate: .*finite"),
        ("training.rebalance", float("inf"), "training.rebalance: .*finite"),
        ("training.seed", -1, "training.seed: .*greater than or equal to 0"),
        ("training.warmup", 1, "training.warmup: .*less than 1"),
        ("training.average", 1, "training.average: .*less than 1"),
        ("training.color_gain", 0, "training.color_gain: .*greater than 0"),
        ("training.weight_decay", -0.1, "training.weight_decay: .*greater than or equal to 0"),
        ("training.epoch", 3, "training.epoch: Extra inputs are not permitted .got 3."),
        ("colour", "lab", "colour: Extra inputs are not permitted"),
        ("model", None, "model: .*dictionary"),
    ],
)
def test_what_is_out_of_range_or_unknown_is_refused_by_name(
    tmp_path: Path, dotted: str, value: Any, message: str
) -> None:
    with pytest.raises(RecipeError, match=message) as in_file:
        load_recipe(written(tmp_path, minimal_with(dotted, value)))
    with pytest.raises(RecipeError, match=message):
        load_recipe(written(tmp_path, MINIMAL), {dotted: value})
    assert "\n" not in str(in_file.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"data.color_space": "rgb"}, "ab-classification needs data.color_space lab, not rgb"),
        ({"training.rebalance": 2}, "set training.rebalance to 0"),
    ],
)
def test_classes_need_ab_and_have_weights_of_their_own(
    tmp_path: Path, overrides: Mapping[str, Any], message: str
) -> None:
    path = written(tmp_path, minimal_with("training.loss", "ab-classification"))
    assert load_recipe(path).training.ab_step == 10
    with pytest.raises(RecipeError, match=message):
        load_recipe(path, overrides)


@pytest.mark.parametrize(
    ("dotted", "value"), [("data.color_space", "rgb"), ("training.loss", "ab-classification"), ("model.name", "conv")]
)
def test_a_color_gain_needs_a_last_layer_that_is_linear_in_ab(tmp_path: Path, dotted: str, value: str) -> None:
    path = written(tmp_path, minimal_with("training.color_gain", 1.1))
    assert load_recipe(path).training.color_gain == 1.1
    with pytest.raises(
        RecipeError, match=r"color_gain needs model.name unet, data.color_space lab, no model.class_head"
    ):
        load_recipe(path, {dotted: value})


def test_weights_of_an_encoder_have_a_known_kind_of_file(tmp_path: Path) -> None:
    path = written(tmp_path, minimal_with("model.encoder", "ResNet50"))
    for good in ("none", "imagenet", "a.weights.h5", "s3://bucket/a.h5", "a.keras"):
        assert load_recipe(path, {"model.encoder_weights": good}).model.encoder_weights == good
    with pytest.raises(RecipeError, match=r"encoder_weights is 'a\.npz'; choose none, imagenet, or a "):
        load_recipe(path, {"model.encoder_weights": "a.npz"})


@pytest.mark.parametrize("missing", ["name", "data.size", "training.batch_size", "training.epochs", "training"])
def test_what_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    raw = copy.deepcopy(MINIMAL)
    section, _, key = missing.rpartition(".")
    del (raw[section] if section else raw)[key]
    with pytest.raises(RecipeError, match=f"{missing}: Field required"):
        load_recipe(written(tmp_path, raw))


@pytest.mark.parametrize(("side", "expected"), [(64, 64), (72, 64), (76, 80), (9, 16)])
def test_a_square_is_seen_at_the_nearest_multiple(side: int, expected: int) -> None:
    assert load_recipe("unet-lab", {"data.inference_side": side}).square_side == expected
