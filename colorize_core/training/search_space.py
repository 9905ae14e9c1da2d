"""The search space of ``tune``: settings of a recipe, each with a list of values or a range."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

from colorize_core import storage
from colorize_core.errors import RecipeError, one_line
from colorize_core.models import MODELS

# All trials use the same pairs, and are compared on them at one resolution.
_FIXED = (
    *("data.size", "data.gray", "data.color_space", "data.inference_side"),
    *("model.name", "model.encoder"),
    *(f"model.settings.{name}" for record in MODELS.values() for name in record.resolution_settings),
)
Setting: TypeAlias = "bool | int | float | str | list[Setting] | None"
"""A value of a setting of a recipe, as YAML has it."""

_TYPE_NAME = re.compile(r"\[|^(Range|Values|int|float)$")
DEFAULT: dict[str, Any] = {
    "training.learning_rate": {"min": 0.0003, "max": 0.01, "log": True},
    "training.batch_size": [32, 64, 128],
    "training.loss": ["mse", "l1", "huber"],
}


class Range(BaseModel):
    """Numbers between two bounds, uniform or, with ``log``, uniform in their logarithm.

    The numbers are integers if both bounds are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    min: int | float
    max: int | float
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if self.min >= self.max or (self.log and self.min <= 0):
            raise ValueError("min must be below max, and above 0 if log is true")
        return self

    def draw(self, rng: np.random.Generator) -> int | float:
        """Returns a random number of the range, with four significant digits if it is not an integer."""
        low, high = (math.log(self.min), math.log(self.max)) if self.log else (self.min, self.max)
        value = rng.uniform(low, high)
        value = math.exp(value) if self.log else value
        return round(value) if isinstance(self.min, int) and isinstance(self.max, int) else float(f"{value:.4g}")


class Values(RootModel[list[Any]]):
    """A list of values of any kind."""

    root: list[Any] = Field(min_length=1)

    def draw(self, rng: np.random.Generator) -> Setting:
        """Returns one of the values at random."""
        value: Setting = self.root[int(rng.integers(len(self.root)))]
        return value


class SearchSpace(RootModel[dict[str, Range | Values]]):
    """The search space: a range or a list of values for each setting, by its dotted name.

    Example:
        >>> SearchSpace({"training.loss": ["mse", "l1"]}).draw(2, seed=0)
        [{'training.loss': 'l1'}, {'training.loss': 'l1'}]
    """

    root: dict[str, Range | Values] = Field(min_length=1)

    def draw(self, count: int, seed: int) -> list[dict[str, Setting]]:
        """Returns ``count`` sets of settings, drawn independently.

        A seed gives the same sets, and a larger count begins with the sets of a smaller one.
        """
        rng = np.random.default_rng(seed)
        return [{name: choice.draw(rng) for name, choice in self.root.items()} for _ in range(count)]


def load_search_space(path: str | None) -> SearchSpace:
    """Reads a search space from a YAML file.

    Args:
        path: path or URL of the file; None for ``DEFAULT``.

    Raises:
        RecipeError: the file cannot be read, or is not a valid search space.
    """
    try:
        raw = DEFAULT if path is None else yaml.safe_load(storage.read(path))
        space = SearchSpace.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        # Beside settings, Pydantic's places have its own names of the types that it tried.
        place = ".".join(str(part) for part in first["loc"] if not _TYPE_NAME.search(str(part)))
        message = first["msg"].removeprefix("Value error, ")
        raise RecipeError(f"search space {path}: {place + ': ' if place else ''}{message}") from error
    except (OSError, yaml.YAMLError) as error:
        raise RecipeError(f"search space {path} cannot be read: {one_line(error)}") from error
    _check(space.root, path)
    return space


def _check(choices: Mapping[str, Any], path: str | None) -> None:
    if fixed := sorted(set(choices) & set(_FIXED)):
        raise RecipeError(
            f"search space {path}: {', '.join(fixed)} changes what trials are compared on: set it in the recipe"
        )
    if "training.color_gain" in choices:
        raise RecipeError(
            f"search space {path}: training.color_gain is applied after the trials are compared: set it in the recipe"
        )
