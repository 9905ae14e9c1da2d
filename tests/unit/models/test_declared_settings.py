"""Settings that a model's builder does not take are refused, and Keras is not imported for it."""

from __future__ import annotations

from typing import Any

import pytest

from colorize_core import models
from colorize_core.errors import RecipeError
from colorize_core.recipes import load_recipe, shipped_recipes

CONV = {"widths": [8, 8, 8]}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "widths is missing"),
        (CONV | {"depth": 3}, "depth is unknown; choose from widths, down, up, batch_norm, dropout"),
        (CONV | {"head": 3}, "head is unknown"),
        (CONV | {"down": "slide"}, "down is 'slide'; choose from pool, stride"),
        (CONV | {"batch_norm": "no thanks"}, "batch_norm is 'no thanks'; choose from true, false"),
        (CONV | {"batch_norm": 1}, "batch_norm is 1; choose from true, false"),
    ],
)
def test_settings_that_the_builder_does_not_take_are_refused_without_keras(
    settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError, match=r"^model\.settings of conv: ") as refused:
        models.check_settings("conv", settings)
    assert words in str(refused.value)


@pytest.mark.parametrize("name", shipped_recipes())
def test_the_settings_of_shipped_recipes_are_taken(name: str) -> None:
    model = load_recipe(name).model
    models.check_settings(model.name, model.settings)


def test_each_model_has_settings_that_can_be_read() -> None:
    for name in models.MODELS:
        with pytest.raises(RecipeError, match=rf"^model\.settings of {name}: nonsense is unknown; choose from "):
            models.check_settings(name, {"nonsense": 1})
