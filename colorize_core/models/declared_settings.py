"""Checks ``model.settings`` against the signature of the model's builder, whose source it reads without Keras."""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BOOLEANS = (True, False)
_NOT_SETTINGS = ("head", "encoder")  # arguments of every builder that do not come from model.settings


@dataclass(frozen=True)
class _Setting:
    """A setting of a model, as the signature of its builder declares it.

    Attributes:
        is_required: whether a recipe must give the setting.
        choices: the allowed values; () for any value.
    """

    is_required: bool
    choices: tuple[object, ...]


def check(settings: Mapping[str, Any], module: str) -> None:
    """Raises ValueError if settings have a name or a value that the builder does not take, or lack one that it needs.

    Args:
        settings: the settings of a recipe.
        module: import path of the model's module.
    """
    known = _declared(module)
    for setting, value in settings.items():
        if setting not in known:
            raise ValueError(f"{setting} is unknown; choose from {', '.join(known)}")
        choices = known[setting].choices
        if choices == _BOOLEANS and not isinstance(value, bool):
            raise ValueError(f"{setting} is {value!r}; choose from true, false")
        if choices and value not in choices:
            raise ValueError(f"{setting} is {value!r}; choose from {', '.join(map(str, choices))}")
    for setting, declared in known.items():
        if declared.is_required and setting not in settings:
            raise ValueError(f"{setting} is missing")


@functools.cache
def _declared(module: str) -> dict[str, _Setting]:
    """Reads the settings of a model from its builder's source. Importing the builder would import Keras."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"the module {module} is not installed")
    tree = ast.parse(Path(spec.origin).read_text())
    [arguments] = [node.args for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build"]
    with_defaults = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {
        argument.arg: _Setting(default is None, _choices(argument.annotation))
        for argument, default in with_defaults
        if argument.arg not in _NOT_SETTINGS
    }


def _choices(annotation: ast.expr | None) -> tuple[object, ...]:
    """Returns the values that an annotation allows: those of a Literal, or True and False; () for any value."""
    if isinstance(annotation, ast.Name) and annotation.id == "bool":
        return _BOOLEANS
    if not isinstance(annotation, ast.Subscript) or ast.unparse(annotation.value) != "Literal":
        return ()
    values = ast.literal_eval(annotation.slice)
    return values if isinstance(values, tuple) else (values,)
