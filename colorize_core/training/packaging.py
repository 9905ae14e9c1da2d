"""The result of a training before it becomes a bundle: the packed network of the best epoch."""

from __future__ import annotations

import json

from colorize_core import storage
from colorize_core.networks import packing
from colorize_core.networks.packing import NetworkPackage
from colorize_core.recipes import Recipe
from colorize_core.recipes.network import build_model
from colorize_core.training.checkpoints import State

_WEIGHTS, _ONNX, _FACTS = "weights.safetensors", "model.onnx", "model.json"


def pack_best(state: State, recipe: Recipe) -> NetworkPackage:
    """Packs the weights of the best epoch, scaled by the recipe's color gain. Imports TensorFlow."""
    model = build_model(recipe)
    for variable, name in zip(model.variables, sorted(state.best), strict=True):
        variable.assign(state.best[name])  # weights_file.pack updates what layers derive from them
    if (gain := recipe.training.color_gain) != 1:
        colors = model.get_layer("colors")
        colors.set_weights([gain * array for array in colors.get_weights()])
    return packing.pack(model, recipe)


def write_package(package: NetworkPackage, folder: str) -> None:
    """Writes a package as three files. Raises OSError."""
    storage.write(storage.join(folder, _WEIGHTS), package.weights)
    storage.write(storage.join(folder, _ONNX), package.onnx)
    facts = {"converted": package.converted, "failure": package.failure}
    storage.write(storage.join(folder, _FACTS), json.dumps(facts).encode())


def read_package(folder: str) -> NetworkPackage:
    """Reads the package that ``write_package`` wrote. Raises OSError."""
    facts = json.loads(storage.read(storage.join(folder, _FACTS)))
    weights, onnx = (storage.read(storage.join(folder, name)) for name in (_WEIGHTS, _ONNX))
    return NetworkPackage(weights, onnx, **facts)
