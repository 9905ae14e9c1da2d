"""The weights that a training starts from: those of a bundle, or of a network that was trained in PyTorch."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from colorize_core import models, storage
from colorize_core.bundle import load_bundle
from colorize_core.errors import BundleError, RecipeError, one_line
from colorize_core.recipes.network import build_model

if TYPE_CHECKING:
    import keras

_PYTORCH = ".npz"
_REFERENCE = ".reference.npz"
_COUNTS = "pixels_per_bin"


def load_weights(model: keras.Model, start: str) -> None:
    """Loads weights into a model that was built from a recipe.

    Args:
        model: from ``recipes.network.build_model``.
        start: name, folder or URL of a bundle with the same model; the bundle may have a class head that the recipe
            does not have. Or an ``.npz`` file with the tensors of ``models.torch_unet`` by name, and ``pixels_per_bin``
            [Q]: the number of training pixels in each bin of ``classes.ab_bins``, from which the class weights come.
            This array may also be in a file beside it: that of ``WEIGHTS.npz`` in ``WEIGHTS.reference.npz``.

    Raises:
        BundleError: the bundle cannot be read, or has a different model.
        RecipeError: the ``.npz`` file cannot be read, or has the tensors of another model.
    """
    if start.endswith(_PYTORCH):
        _load_tensors(model, start)
    else:
        _load_bundle(model, start)


def _load_bundle(model: keras.Model, name: str) -> None:
    start = load_bundle(name)
    trained = build_model(start.recipe)
    start.fill(trained)
    sources = trained.weights
    if len(sources) > len(model.weights):  # a class head that the recipe does not have is left out
        by_path = {weight.path: weight for weight in sources}
        sources = [by_path[weight.path] for weight in model.weights if weight.path in by_path]
    if [tuple(weight.shape) for weight in sources] != [tuple(weight.shape) for weight in model.weights]:
        raise BundleError(
            f"model.start {name} has another model than the recipe: choose a bundle with the same model and settings"
        )
    for weight, source in zip(model.weights, sources, strict=True):
        weight.assign(source)
    models.update_derived_weights(model)


def _load_tensors(model: keras.Model, path: str) -> None:
    from colorize_core.models import classes, torch_unet

    tensors = _read_arrays(path)
    beside = path.removesuffix(_PYTORCH) + _REFERENCE
    if _COUNTS not in tensors and storage.exists(beside):
        tensors[_COUNTS] = _read_arrays(beside).get(_COUNTS)
    counts = tensors.pop(_COUNTS, None)
    if counts is None:
        raise RecipeError(f"model.start {path} has no array {_COUNTS}, and there is none in {beside}: add it")
    try:
        odds = model.get_layer("odds")
        torch_unet.copy_weights(model, tensors)
        odds.log_weights.assign(np.log(classes.class_weights(counts, step=odds.step)))
    except Exception as error:  # Keras and NumPy raise all kinds of exceptions on arrays that do not fit
        raise RecipeError(
            f"model.start {path} does not fit the recipe, which must have the model and encoder of the file, and "
            f"model.class_head true: {one_line(error)}"
        ) from error


def _read_arrays(path: str) -> dict[str, Any]:
    try:
        with np.load(io.BytesIO(storage.read(path)), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # NumPy and zipfile raise all kinds of exceptions on damaged files
        raise RecipeError(f"model.start {path} cannot be read: {one_line(error)}") from error
