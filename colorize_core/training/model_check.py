"""Checks that a recipe's model can be built and fits the images, before any image is used.

``models.check_settings`` has refused wrong settings by then. ``build_learner`` builds the model and runs it on blank
images, in the process that trains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from colorize_core import bundle, models, storage
from colorize_core.errors import RecipeError, UserError, one_line
from colorize_core.recipes import Recipe

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from colorize_core.training.learner import Learner


def build_learner(recipe: Recipe, strategy: tf.distribute.Strategy, *, compile_all: bool = False) -> Learner:
    """Builds the recipe's model with its optimizers, and runs it on blank images of each size that it will see.

    Args:
        recipe: what to train.
        strategy: TensorFlow's distribution strategy, as for ``Learner``.
        compile_all: whether XLA compiles the training step, as for ``Learner``.

    Raises:
        UserError: the model cannot be trained; the message says why.
    """
    from colorize_core.training.learner import Learner

    try:
        learner = Learner(recipe, strategy, compile_all=compile_all)
    except UserError:
        raise
    except Exception as error:  # Keras raises all kinds of exceptions
        raise RecipeError(f"model {recipe.model.name} cannot be built: {one_line(error)}") from error
    check_sizes(recipe, models.inference_model(learner.model))
    return learner


def check_sizes(recipe: Recipe, model: keras.Model) -> None:
    """Raises RecipeError if the model does not fit images of a size that the recipe will show it."""
    run_sides = {recipe.data.crop, recipe.square_side}
    # Photographs of other shapes are seen at any multiple of model.multiple. For those only the output's shape is
    # computed, which takes no time, but layers such as Dense do not notice every input that they cannot take.
    other_sides = set() if recipe.model.square else {recipe.model.multiple * steps for steps in (1, 3, 5)}
    channels = len(recipe.output_channels)
    factors = set()
    for side in sorted(run_sides | other_sides):
        blank = (1, side, side, 1)
        try:
            output = (
                model(np.zeros(blank, np.float32)).shape if side in run_sides else model.compute_output_shape(blank)
            )
        except Exception as error:  # Keras raises all kinds of exceptions
            raise RecipeError(
                f"model {recipe.model.name} cannot be run on images of {side} pixels: {one_line(error)}"
            ) from error
        shape = list(output[1:])
        height = shape[0]
        factors.add(side // height if height and side % height == 0 else 0)  # 0: not a whole part of the side
        if shape != [height, height, channels] or 0 in factors or len(factors) > 1:
            raise RecipeError(
                f"model {recipe.model.name} returns {' x '.join(map(str, shape))} for images of {side} x {side}: it "
                f"must return {channels} channels, and divide the sides of all multiples of model.multiple "
                f"({recipe.model.multiple}) by one whole number"
            )


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """Returns the recipe with absolute paths: Ray Train and Ray Tune change a worker's current folder."""
    model = recipe.model
    paths = {}
    if model.encoder_weights not in ("none", "imagenet"):
        paths["encoder_weights"] = storage.absolute(model.encoder_weights)
    if model.start != "none":
        paths["start"] = bundle.place(model.start)
    return recipe.model_copy(update={"model": model.model_copy(update=paths)})
