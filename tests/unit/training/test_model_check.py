"""A model is refused before the training where it does not fit the images that the recipe will show it."""

from __future__ import annotations

from typing import Any

import pytest

from colorize_core.errors import RecipeError
from colorize_core.recipes import Recipe
from colorize_core.recipes.network import build_model
from colorize_core.training.model_check import check_sizes

CONV = {"widths": [8, 8, 8]}


def recipe(side: int, **model: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "small",
            "data": {"size": side, "crop": side, "inference_side": side},
            "model": {"name": "conv", "settings": CONV, "multiple": 4, **model},
            "training": {"epochs": 1, "batch_size": 1, "learning_rate": 0.1},
        }
    )


@pytest.mark.parametrize(
    ("side", "model"),
    [
        (32, {"multiple": 8}),
        (32, {"multiple": 8, "settings": CONV | {"down": "stride", "up": "transpose-stride"}}),
        (32, {"multiple": 8, "name": "unet", "settings": CONV | {"convolutions": [1, 1, 1]}}),
        (24, {"square": True}),
    ],
)
def test_a_model_that_fits(side: int, model: dict[str, Any]) -> None:
    made = recipe(side, **model)
    check_sizes(made, build_model(made))


@pytest.mark.parametrize("down", ["pool", "stride"])
def test_colors_of_another_size_than_the_images_are_refused(down: str) -> None:
    wrong = recipe(28, square=True, settings=CONV | {"down": down})
    made = {"pool": 24, "stride": 32}[down]
    with pytest.raises(RecipeError, match=rf"^model conv returns {made} x {made} x 2 for images of 28 x 28: it must"):
        check_sizes(wrong, build_model(wrong))


def test_a_part_that_is_not_the_same_at_all_sides_is_refused() -> None:
    wrong = recipe(32, settings=CONV | {"down": "stride"})
    with pytest.raises(RecipeError, match="returns 8 x 8 x 2 for images of 4 x 4"):
        check_sizes(wrong, build_model(wrong))
