"""Colorizes grayscale photographs at any scale.

Importing this package imports neither TensorFlow nor Ray: what needs them is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from colorize_core.errors import (
    BundleError,
    ColorizeError,
    ImageError,
    InputError,
    OutputError,
    RecipeError,
    UserError,
)

if TYPE_CHECKING:
    from colorize_core.archive.config import ArchiveConfig
    from colorize_core.archive.job import Archive
    from colorize_core.bundle import Bundle, load_bundle
    from colorize_core.inference import Colorizer
    from colorize_core.recipes import Recipe, load_recipe
    from colorize_core.training.pairs import load_pairs
    from colorize_core.training.trainer import train

__version__ = "0.1.0"

__all__ = [
    "Archive",
    "ArchiveConfig",
    "Bundle",
    "BundleError",
    "ColorizeError",
    "Colorizer",
    "ImageError",
    "InputError",
    "OutputError",
    "Recipe",
    "RecipeError",
    "UserError",
    "load_bundle",
    "load_pairs",
    "load_recipe",
    "train",
]

_LAZY = {
    "Archive": "colorize_core.archive.job",
    "ArchiveConfig": "colorize_core.archive.config",
    "Bundle": "colorize_core.bundle",
    "Colorizer": "colorize_core.inference",
    "Recipe": "colorize_core.recipes",
    "load_bundle": "colorize_core.bundle",
    "load_pairs": "colorize_core.training.pairs",
    "load_recipe": "colorize_core.recipes",
    "train": "colorize_core.training.trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
