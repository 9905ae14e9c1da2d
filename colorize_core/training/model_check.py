"""Whether a recipe's model can be built and fits the images, before anything is read or written."""

from __future__ import annotations

import numpy as np

from colorize_core import bundle, models, placement, storage
from colorize_core.errors import RecipeError, UserError, one_line
from colorize_core.recipes import Recipe


def check_model(recipe: Recipe) -> None:
    """Runs the model once, in a task: TensorFlow in this process would take the memory of its GPU.

    Raises RecipeError where it cannot be built, or not for the sides that the recipe will show it.
    """
    import ray

    def attempt(recipe: Recipe) -> str:
        placement.hide_gpus()
        return what_is_wrong(recipe)

    if wrong := ray.get(ray.remote(attempt).remote(reachable(recipe))):
        raise RecipeError(wrong)


def what_is_wrong(recipe: Recipe) -> str:
    """Why the recipe's model cannot be trained; '' where it can."""
    sides = {recipe.data.crop, recipe.square_side}
    if not recipe.model.square:  # photographs of other shapes are seen at any multiple
        sides |= {recipe.model.multiple * steps for steps in (1, 3, 5)}
    channels = 2 if recipe.data.color_space == "lab" else 3
    factors = set()
    for side in sorted(sides):
        try:
            model = models.of_recipe(recipe)
            _, *shape = model(np.zeros((1, side, side, 1), np.float32)).shape
        except Exception as error:  # Keras raises whatever its layers do
            return f"model {recipe.model.name} cannot be built for images of {side} pixels: {one_line(error)}"
        height = shape[0]
        factors.add(side // height if height and side % height == 0 else 0)
        if shape != [height, height, channels] or 0 in factors or len(factors) > 1:
            return (
                f"model {recipe.model.name} makes {' x '.join(map(str, shape))} of images of {side} x {side}: need "
                f"{channels} channels, and the same whole part of the side for all multiples of model.multiple "
                f"({recipe.model.multiple})"
            )
    try:
        if recipe.model.encoder:
            models.load_encoder(model, recipe.model.encoder, recipe.model.encoder_weights)
        if recipe.model.start != "none":
            bundle.start_from(model, recipe.model.start)
    except UserError as error:
        return str(error)
    return ""


def reachable(recipe: Recipe) -> Recipe:
    """The same recipe with paths that a worker finds too: Ray Train and Ray Tune change its folder."""
    model = recipe.model
    paths = {}
    if model.encoder_weights not in ("none", "imagenet"):
        paths["encoder_weights"] = storage.absolute(model.encoder_weights)
    if model.start != "none":
        paths["start"] = bundle.place(model.start)
    return recipe.model_copy(update={"model": model.model_copy(update=paths)})
