"""A builder of the Keras model that a recipe describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from colorize_core import models
from colorize_core.recipes.schema import Recipe

if TYPE_CHECKING:
    import keras


def build_model(recipe: Recipe) -> keras.Model:
    """Builds the recipe's model with random weights.

    Raises:
        RecipeError: the model or one of its settings is unknown or wrong (``models.build``).
    """
    training = recipe.training
    return models.build(
        recipe.model.name,
        recipe.model.settings,
        recipe.data.color_space,
        ab_step=training.ab_step if training.loss == "ab-classification" else None,
        temperature=training.temperature,
        encoder=recipe.model.encoder,
        class_step=training.ab_step if recipe.model.class_head else None,
    )
