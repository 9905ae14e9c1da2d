"""Recipes, which describe what to train and how, as YAML files that a schema validates."""

from colorize_core.recipes.schema import (
    DataSettings,
    ModelSettings,
    Recipe,
    TrainingSettings,
    load_recipe,
    with_settings,
)

__all__ = ["DataSettings", "ModelSettings", "Recipe", "TrainingSettings", "load_recipe", "with_settings"]
