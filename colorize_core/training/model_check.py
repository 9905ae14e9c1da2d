"""Whether a recipe's model can be built and fits the images.

``check_settings`` reads the source of the model's builder, and needs no TensorFlow: it refuses at once.
``build_learner`` builds the model and runs it: in the process that trains, before it asks for images.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from colorize_core import bundle, models, storage
from colorize_core.errors import RecipeError, UserError, one_line
from colorize_core.recipes import Recipe

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from colorize_core.training.learner import Learner

_TRUTH = (True, False)
_GIVEN = ("head", "encoder")  # arguments of each builder that are no settings


@dataclass(frozen=True)
class _Setting:
    """One setting of a model: whether a recipe must give it, and the values that it takes; () for any."""

    required: bool
    choices: tuple[object, ...]


def check_settings(recipe: Recipe) -> None:
    """Raises RecipeError where ``model.settings`` has a name or a value that the model's builder does not take."""
    name, known = recipe.model.name, _settings(recipe.model.name)

    def refuse(what: str) -> None:
        raise RecipeError(f"model.settings of {name}: {what}")

    for setting, value in recipe.model.settings.items():
        if setting not in known:
            refuse(f"{setting} is unknown; choose from {', '.join(known)}")
        choices = known[setting].choices
        if choices == _TRUTH and not isinstance(value, bool):
            refuse(f"{setting} is {value!r}; choose from true, false")
        if choices and value not in choices:
            refuse(f"{setting} is {value!r}; choose from {', '.join(map(str, choices))}")
    for setting, each in known.items():
        if each.required and setting not in recipe.model.settings:
            refuse(f"{setting} is missing")


@functools.cache
def _settings(name: str) -> dict[str, _Setting]:
    """Reads the settings of a model from the signature of its builder, whose module would import Keras."""
    module, function = models.BUILDERS[name].split(":")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise RecipeError(f"model.name {name}: its module {module} is not installed")
    tree = ast.parse(Path(spec.origin).read_text())
    [arguments] = [node.args for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    found = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {
        argument.arg: _Setting(default is None, _choices(argument.annotation))
        for argument, default in found
        if argument.arg not in _GIVEN
    }


def _choices(annotation: ast.expr | None) -> tuple[object, ...]:
    """The values that an annotation allows: those of a Literal, and those of bool."""
    if isinstance(annotation, ast.Name) and annotation.id == "bool":
        return _TRUTH
    if not isinstance(annotation, ast.Subscript) or ast.unparse(annotation.value) != "Literal":
        return ()
    values = ast.literal_eval(annotation.slice)
    return values if isinstance(values, tuple) else (values,)


def build_learner(recipe: Recipe, strategy: tf.distribute.Strategy, *, compile_all: bool = False) -> Learner:
    """Builds the recipe's model with its optimizers, and runs it on blank images of each size that it has to take.

    Args:
        recipe: what to train.
        strategy: as ``Learner``.
        compile_all: as ``Learner``.

    Raises:
        UserError: the model cannot be trained: it says why.
    """
    from colorize_core.training.learner import Learner

    try:
        learner = Learner(recipe, strategy, compile_all=compile_all)
    except UserError:
        raise
    except Exception as error:  # Keras raises whatever its layers do
        raise RecipeError(f"model {recipe.model.name} cannot be built: {one_line(error)}") from error
    check_sizes(recipe, learner.model)
    return learner


def check_sizes(recipe: Recipe, model: keras.Model) -> None:
    """Raises RecipeError where the model does not fit images of a size that the recipe will show it."""
    run = {recipe.data.crop, recipe.square_side}
    # Photographs of other shapes are seen at any multiple. Asking for shapes takes no time, but layers of Keras' such
    # as Dense do not notice all that they cannot take.
    asked = set() if recipe.model.square else {recipe.model.multiple * steps for steps in (1, 3, 5)}
    channels = 2 if recipe.data.color_space == "lab" else 3
    factors = set()
    for side in sorted(run | asked):
        blank = (1, side, side, 1)
        try:
            made = model(np.zeros(blank, np.float32)).shape if side in run else model.compute_output_shape(blank)
        except Exception as error:  # Keras raises whatever its layers do
            raise RecipeError(
                f"model {recipe.model.name} cannot be run on images of {side} pixels: {one_line(error)}"
            ) from error
        shape = list(made[1:])
        height = shape[0]
        factors.add(side // height if height and side % height == 0 else 0)
        if shape != [height, height, channels] or 0 in factors or len(factors) > 1:
            raise RecipeError(
                f"model {recipe.model.name} makes {' x '.join(map(str, shape))} of images of {side} x {side}: need "
                f"{channels} channels, and the same whole part of the side for all multiples of model.multiple "
                f"({recipe.model.multiple})"
            )


def reachable(recipe: Recipe) -> Recipe:
    """The same recipe with paths that a worker finds too: Ray Train and Ray Tune change its folder."""
    model = recipe.model
    paths = {}
    if model.encoder_weights not in ("none", "imagenet"):
        paths["encoder_weights"] = storage.absolute(model.encoder_weights)
    if model.start != "none":
        paths["start"] = bundle.place(model.start)
    return recipe.model_copy(update={"model": model.model_copy(update=paths)})
