"""The public names of the library, their docstrings, and what importing them loads."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import colorize_core
from colorize_core import errors

HEAVY = ("tensorflow", "keras", "ray", "matplotlib")
PURE_MODULES = (
    "colorize_core",
    "colorize_core.archiving.state.ledger",
    "colorize_core.archiving.stages.merge",
    "colorize_core.archiving.planning.plan",
    "colorize_core.archiving.stages.sinks.formats",
    "colorize_core.archiving.inputs.listing",
    "colorize_core.color",
    "colorize_core.datasets",
    "colorize_core.datasets.cifar",
    "colorize_core.datasets.folder",
    "colorize_core.evaluation.metrics",
    "colorize_core.images.contact_sheet",
    "colorize_core.networks.export",
    "colorize_core.images.encode",
    "colorize_core.inference.colorizer",
    "colorize_core.recipes",
    "colorize_core.storage",
    "colorize_core.training.pair_rows",
)


def test_public_names_are_pinned() -> None:
    assert colorize_core.__all__ == [
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


@pytest.mark.parametrize("name", sorted(name for name in colorize_core.__all__ if name.endswith("Error")))
def test_errors_are_those_of_the_tree(name: str) -> None:
    assert getattr(colorize_core, name) is getattr(errors, name)
    assert inspect.getdoc(getattr(errors, name))


@pytest.mark.parametrize("name", sorted(name for name in colorize_core.__all__ if not name.endswith("Error")))
def test_every_public_name_has_a_docstring_with_an_example(name: str) -> None:
    assert "\nExample:\n    >>> " in (inspect.getdoc(getattr(colorize_core, name)) or "")


@pytest.mark.parametrize("name", ["archive", "evaluate", "export", "load_bundle", "prepare", "train", "tune"])
def test_public_functions_name_arguments_result_and_errors(name: str) -> None:
    docstring = inspect.getdoc(getattr(colorize_core, name)) or ""
    for section in ("Args:", "Returns:", "Raises:"):
        assert f"\n{section}\n" in docstring, section


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'colorize_core' has no attribute 'colourise'"):
        colorize_core.colourise  # noqa: B018


def _imported(statement: str) -> list[str]:
    """Returns the names of HEAVY that a fresh interpreter has loaded after the statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded: list[str] = json.loads(done.stdout)
    return loaded


@pytest.mark.parametrize("module", ["colorize_core", ", ".join(PURE_MODULES)], ids=["package", "pure modules"])
def test_import_is_light(module: str) -> None:
    assert _imported(f"import {module}") == []


def test_every_public_name_resolves_without_tensorflow_or_ray() -> None:
    """Each name is in the module that ``_LAZY`` gives for it, and none of them imports a heavy library."""
    names = "".join(f"\nassert callable(colorize_core.{name})" for name in colorize_core.__all__)
    assert _imported(f"import colorize_core{names}") == []
