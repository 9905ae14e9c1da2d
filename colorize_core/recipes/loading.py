"""Loads recipes by name or from YAML files, and replaces single settings by their dotted names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from colorize_core import storage
from colorize_core.errors import RecipeError, one_line
from colorize_core.recipes.schema import Recipe

_SHIPPED = Path(__file__).parent


def shipped_recipes() -> list[str]:
    """Returns the names of the shipped recipes."""
    return sorted(path.stem for path in _SHIPPED.glob("*.yaml"))


def load_recipe(name: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Loads a shipped recipe by name, or a recipe from a YAML file.

    Args:
        name: name of a shipped recipe, or path or URL of a YAML file.
        overrides: values by dotted name, which replace those of the recipe.

    Returns:
        The validated recipe.

    Raises:
        RecipeError: the recipe is unknown, the file cannot be read, or a setting is unknown or out of range.

    Example:
        >>> load_recipe("unet-lab", {"training.epochs": 2}).training.epochs
        2
    """
    shipped = shipped_recipes()
    path = str(_SHIPPED / f"{name}.yaml") if name in shipped else name
    if name not in shipped and not name.endswith((".yaml", ".yml")):
        storage.refuse_secrets(name)
        raise RecipeError(f"no recipe {name!r}: choose from {', '.join(shipped)}, or name a .yaml file")
    try:
        raw = yaml.safe_load(storage.read(path))
    except (OSError, yaml.YAMLError) as error:
        raise RecipeError(f"recipe {path} cannot be read: {one_line(error)}") from error
    if not isinstance(raw, dict):
        raise RecipeError(f"recipe {path} is not a mapping of settings")
    for dotted, value in (overrides or {}).items():
        _override(raw, dotted, value)
    return _validated(raw, name)


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """Returns the recipe with other values by dotted name. Raises RecipeError."""
    raw = recipe.model_dump()
    for dotted, value in settings.items():
        _override(raw, dotted, value)
    return _validated(raw, recipe.name)


def _validated(raw: dict[str, Any], name: str) -> Recipe:
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        got = f" (got {first['input']!r})" if field and not isinstance(first["input"], dict) else ""
        message = first["msg"].removeprefix("Value error, ")
        raise RecipeError(f"recipe {name}: {field + ': ' if field else ''}{message}{got}") from error


def _override(raw: dict[str, Any], dotted: str, value: Any) -> None:
    *sections, key = dotted.split(".")
    inner: Any = raw
    for section in sections:
        inner = inner.setdefault(section, {}) if isinstance(inner, dict) else None
    if not isinstance(inner, dict):
        raise RecipeError(f"{dotted!r} is not the name of a setting: settings are written section.key=value")
    inner[key] = value
