"""Keras models by name. A new model is one file with a ``build`` function and one line in ``BUILDERS``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from colorize_core.errors import RecipeError

if TYPE_CHECKING:
    import keras

BUILDERS = {
    "conv": "colorize_core.models.conv:build",
    "conv_dense": "colorize_core.models.conv_dense:build",
    "dense": "colorize_core.models.dense:build",
    "unet": "colorize_core.models.unet:build",
}


def build(name: str, settings: Mapping[str, Any], color_space: str) -> keras.Model:
    """The named model, untrained, whose output is in a color space (``pairs.ColorSpace``).

    Raises:
        RecipeError: no such model, or it has no such setting.
    """
    if name not in BUILDERS:
        raise RecipeError(f"model.name is {name!r}; choose from {', '.join(sorted(BUILDERS))}")
    module, function = BUILDERS[name].split(":")
    try:
        model: keras.Model = getattr(importlib.import_module(module), function)(color_space=color_space, **settings)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"model.settings of {name}: {error}") from error
    return model
