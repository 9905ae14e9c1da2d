"""Recipes, which describe what to train and how, as YAML files that a schema validates."""

from colorize_core.recipes.loading import load_recipe, shipped_recipes, with_settings
from colorize_core.recipes.schema import DataSettings, ModelSettings, Recipe, TrainingSettings

__all__ = [
    "DataSettings",
    "ModelSettings",
    "Recipe",
    "TrainingSettings",
    "load_recipe",
    "shipped_recipes",
    "with_settings",
]
