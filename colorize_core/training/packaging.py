"""The result of a training before it becomes a bundle: the weights for Keras, and the same network as an ONNX file."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from colorize_core import models, storage
from colorize_core.errors import ColorizeError
from colorize_core.networks import conversion
from colorize_core.recipes import Recipe
from colorize_core.recipes.network import build_model
from colorize_core.training.checkpoints import State

_WEIGHTS, _ONNX, _FACTS = "model.keras", "model.onnx", "model.json"


@dataclass(frozen=True)
class NetworkPackage:
    """The network of a training's best epoch, as the content of files.

    Attributes:
        weights: content of ``model.keras``, without the optimizer.
        onnx: content of ``model.onnx``; b'' if the network could not be converted.
        converted: facts on the conversion (``Bundle.converted``).
        failure: why the network could not be converted; '' if it could.
    """

    weights: bytes = field(repr=False)
    onnx: bytes = field(repr=False)
    converted: Mapping[str, Any]
    failure: str = ""

    @classmethod
    def from_state(cls, state: State, recipe: Recipe) -> NetworkPackage:
        """Packs the weights of the best epoch, scaled by the recipe's color gain. Imports TensorFlow.

        A network that cannot be converted to ONNX still makes a bundle, which runs through Keras: the training is not
        lost.
        """
        model = build_model(recipe)
        for variable, name in zip(model.variables, sorted(state.best), strict=True):
            variable.assign(state.best[name])
        if (gain := recipe.training.color_gain) != 1:
            colors = model.get_layer("colors")
            colors.set_weights([gain * array for array in colors.get_weights()])
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, _WEIGHTS)
            model.save(path)
            weights = Path(path).read_bytes()
        try:
            onnx, comparison = conversion.to_onnx(models.inference_model(model), recipe)
        except ColorizeError as error:
            return cls(weights, b"", {}, str(error))
        return cls(weights, onnx, comparison.facts())

    def write(self, folder: str) -> None:
        """Writes the package as three files. Raises OSError."""
        storage.write(storage.join(folder, _WEIGHTS), self.weights)
        storage.write(storage.join(folder, _ONNX), self.onnx)
        facts = {"converted": self.converted, "failure": self.failure}
        storage.write(storage.join(folder, _FACTS), json.dumps(facts).encode())

    @classmethod
    def read(cls, folder: str) -> NetworkPackage:
        """Reads the package that ``write`` wrote. Raises OSError."""
        facts = json.loads(storage.read(storage.join(folder, _FACTS)))
        return cls(storage.read(storage.join(folder, _WEIGHTS)), storage.read(storage.join(folder, _ONNX)), **facts)
