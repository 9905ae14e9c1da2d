"""Colorizes grayscale photographs at any scale.

Importing this package imports neither TensorFlow nor Ray: what needs them is loaded when it is first used.

Example:
    >>> import colorize_core
    >>> colorizer = colorize_core.Colorizer(colorize_core.load_bundle("default"))
    >>> colorizer.colorize(gray).save("colored.png")  # gray: uint8 [H, W]
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
from colorize_core.version import __version__ as __version__

if TYPE_CHECKING:
    from colorize_core.archiving.config import ArchiveConfig
    from colorize_core.archiving.job import ArchiveJob
    from colorize_core.archiving.run import archive
    from colorize_core.bundle import Bundle, load_bundle
    from colorize_core.datasets.splits import SplitRule
    from colorize_core.evaluation.config import EvaluateConfig
    from colorize_core.evaluation.evaluate import evaluate
    from colorize_core.images.encode import Encoding
    from colorize_core.inference.colorizer import Colorizer
    from colorize_core.networks.export import export
    from colorize_core.preparation.prepare import PrepareConfig, prepare
    from colorize_core.preparation.shards import Transform
    from colorize_core.recipes import Recipe, load_recipe
    from colorize_core.training.config import TrainConfig, TuneConfig, Workers
    from colorize_core.training.pair_rows import load_pairs
    from colorize_core.training.search_space import SearchSpace
    from colorize_core.training.trainer import train
    from colorize_core.training.tuning import tune

__all__ = [
    "ArchiveConfig",
    "ArchiveJob",
    "Bundle",
    "BundleError",
    "ColorizeError",
    "Colorizer",
    "Encoding",
    "EvaluateConfig",
    "ImageError",
    "InputError",
    "OutputError",
    "PrepareConfig",
    "Recipe",
    "RecipeError",
    "SearchSpace",
    "SplitRule",
    "TrainConfig",
    "Transform",
    "TuneConfig",
    "UserError",
    "Workers",
    "archive",
    "evaluate",
    "export",
    "load_bundle",
    "load_pairs",
    "load_recipe",
    "prepare",
    "train",
    "tune",
]

_LAZY = {
    "ArchiveConfig": "colorize_core.archiving.config",
    "ArchiveJob": "colorize_core.archiving.job",
    "Bundle": "colorize_core.bundle",
    "Colorizer": "colorize_core.inference.colorizer",
    "Encoding": "colorize_core.images.encode",
    "EvaluateConfig": "colorize_core.evaluation.config",
    "PrepareConfig": "colorize_core.preparation.prepare",
    "Recipe": "colorize_core.recipes",
    "SearchSpace": "colorize_core.training.search_space",
    "SplitRule": "colorize_core.datasets.splits",
    "TrainConfig": "colorize_core.training.config",
    "Transform": "colorize_core.preparation.shards",
    "TuneConfig": "colorize_core.training.config",
    "Workers": "colorize_core.training.config",
    "archive": "colorize_core.archiving.run",
    "evaluate": "colorize_core.evaluation.evaluate",
    "export": "colorize_core.networks.export",
    "load_bundle": "colorize_core.bundle",
    "load_pairs": "colorize_core.training.pair_rows",
    "load_recipe": "colorize_core.recipes",
    "prepare": "colorize_core.preparation.prepare",
    "train": "colorize_core.training.trainer",
    "tune": "colorize_core.training.tuning",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
