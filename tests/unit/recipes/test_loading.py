"""Recipes are found by name, read from YAML files, and changed by dotted names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from colorize_core.errors import InputError, RecipeError
from colorize_core.recipes import load_recipe, shipped_recipes
from tests.unit.recipes.files import MINIMAL, written


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_valid_and_named_like_their_file(name: str) -> None:
    assert load_recipe(name).name == name


def test_the_default_recipe_is_shipped() -> None:
    recipe = load_recipe("unet-lab")
    assert (recipe.data.color_space, recipe.model.name, recipe.model.multiple) == ("lab", "unet", 16)


@pytest.mark.parametrize(
    ("overrides", "changed"),
    [
        ({"training.epochs": 5}, {"epochs": 5}),
        ({"training.epochs": "5"}, {"epochs": 5}),
        ({"training.learning_rate": "1e-4"}, {"learning_rate": 0.0001}),
        (
            {"training.epochs": 5, "training.seed": 7, "training.loss": "huber"},
            {"epochs": 5, "seed": 7, "loss": "huber"},
        ),
    ],
)
def test_overrides_change_only_what_they_name(
    tmp_path: Path, overrides: Mapping[str, Any], changed: dict[str, Any]
) -> None:
    path = written(tmp_path, MINIMAL)
    plain, other = load_recipe(path), load_recipe(path, overrides)
    assert other.training.model_dump() == plain.training.model_dump() | changed
    assert (other.name, other.data, other.model) == (plain.name, plain.data, plain.model)


def test_overrides_reach_settings_of_the_model(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, MINIMAL), {"model.settings.widths": [8, 16], "model.settings.deep.er": 1})
    assert recipe.model.settings == {"widths": [8, 16], "deep": {"er": 1}}


@pytest.mark.parametrize("dotted", ["name.first", "training.epochs.more", "data.size.x.y"])
def test_an_override_below_a_value_is_refused(tmp_path: Path, dotted: str) -> None:
    with pytest.raises(
        RecipeError, match=f"'{dotted}' is not the name of a setting: settings are written section.key=value"
    ):
        load_recipe(written(tmp_path, MINIMAL), {dotted: 1})


@pytest.mark.parametrize("name", ["unet_lab", "recipes", "", "../unet-lab"])
def test_an_unknown_name_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(RecipeError, match=f"no recipe '{name}': choose from .*unet-lab.*, or name a .yaml file"):
        load_recipe(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", "cannot be read: while parsing"),
        ("\tname: x", "cannot be read: while scanning"),
        ("a: \x01", "cannot be read: unacceptable character"),
        ("!!python/object/apply:os.system ['true']", "cannot be read: could not determine a constructor"),
        ("", "is not a mapping of settings"),
        ("- a\n- b", "is not a mapping of settings"),
    ],
)
def test_an_unreadable_file_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"recipe .*mine.yaml {message}") as caught:
        load_recipe(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"gone\.yaml cannot be read: .*No such file"):
        load_recipe(str(tmp_path / "gone.yaml"))


def test_a_recipe_in_an_object_store() -> None:
    from colorize_core import storage

    storage.write("memory://test-schema/mine.yaml", yaml.safe_dump(MINIMAL).encode())
    assert load_recipe("memory://test-schema/mine.yaml").name == "mine"
    storage.remove("memory://test-schema")


@pytest.mark.parametrize("url", ["s3://AKIAKEY:hidden@bucket/x.h5", "https://host/x?token=hidden"])
def test_a_recipe_with_a_secret_in_it_is_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    recipe = load_recipe("unet-lab").model_dump()
    file.write_text(yaml.safe_dump(recipe | {"model": recipe["model"] | {"start": url}}))
    for call in (
        lambda: load_recipe(url),
        lambda: load_recipe(str(file)),
        lambda: load_recipe("unet-lab", {"model.start": url}),
        lambda: load_recipe("unet-lab", {"model.encoder": "VGG16", "model.encoder_weights": url}),
    ):
        with pytest.raises(InputError, match="environment") as caught:
            call()
        assert "hidden" not in str(caught.value)
