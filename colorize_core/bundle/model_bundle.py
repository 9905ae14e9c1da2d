"""The model bundle in memory: a trained network, and what is needed to repeat its preprocessing."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from colorize_core.bundle.facts import FACTS, FAITHFUL, VIVID, storable
from colorize_core.errors import BundleError, RecipeError, one_line
from colorize_core.recipes import Recipe
from colorize_core.recipes.network import build_model

if TYPE_CHECKING:
    import keras

_LARGEST_GAIN = 10.0
_VERSIONS = ("keras", "numpy", "onnx", "onnxruntime", "ray", "tensorflow", "tf2onnx")


@dataclass(frozen=True)
class Bundle:
    """A trained model and what is known about it.

    Attributes:
        weights: content of ``model.keras``.
        saturation: gains of ab by name: ``faithful`` is what the network said, with ``vivid`` a sample of the
            validation images is as colorful as the truth.
        training: data, fingerprint, images per split, epochs, minutes.
        metrics: measured on the test split, with those of the gray copy and the mean chroma: ``Measurements.facts``.
        onnx: content of ``model.onnx``, the same network; b'' in format 1, which only Keras runs.
        converted: how ``onnx`` compared with the Keras model: ``conversion.Compared.facts``.
    """

    recipe: Recipe
    weights: bytes = field(repr=False)
    saturation: Mapping[str, float]
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]
    versions: Mapping[str, str]
    onnx: bytes = field(default=b"", repr=False)
    converted: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        recipe: Recipe,
        weights: bytes,
        vivid_gain: float,
        training: Mapping[str, Any],
        onnx: bytes = b"",
        converted: Mapping[str, Any] | None = None,
    ) -> Bundle:
        """Makes a bundle of weights that were just trained with the installed libraries.

        Texts in ``training`` are made ``storable``: what is said there is a user's.
        """
        versions = {name: importlib.metadata.version(name) for name in _VERSIONS}
        saturation = {FAITHFUL: 1.0, VIVID: min(vivid_gain, _LARGEST_GAIN)}
        versions["python"] = platform.python_version()
        return cls(recipe, weights, saturation, storable(training), {}, versions, onnx, converted or {})

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name

    @property
    def digest(self) -> str:
        """SHA-256 of the trained weights, and of the settings that say how they are used.

        ``model.onnx`` is the same network and has a digest of its own in ``bundle.json``. Settings that have their
        default are left out: a setting that a later version adds changes no digest.
        """
        data, model, training = self.recipe.data, self.recipe.model, self.recipe.training
        settings = [
            data.model_dump(mode="json", exclude_defaults=True),
            # Where weights came from decides nothing any more.
            model.model_dump(mode="json", exclude_defaults=True, exclude={"encoder_weights", "start"}),
        ]
        if training.loss == "ab-classification":
            settings.append(training.model_dump(mode="json", include={"loss", "ab_step", "temperature"}))
        return hashlib.sha256(json.dumps([self.weights_digest, *settings], sort_keys=True).encode()).hexdigest()

    @cached_property  # it takes 8 ms for 15 MB, and is asked for often
    def weights_digest(self) -> str:
        """SHA-256 of the trained weights."""
        return hashlib.sha256(self.weights).hexdigest()

    def gain(self, saturation: str | float) -> float:
        """The gain of ab that a name in ``saturation`` stands for, or a number as it is. Raises BundleError."""
        if not isinstance(saturation, str):
            return saturation
        if saturation not in self.saturation:
            raise BundleError(f"saturation {saturation!r} of {self.name}: choose from {', '.join(self.saturation)}")
        return self.saturation[saturation]

    def with_metrics(self, metrics: Mapping[str, Any]) -> Bundle:
        """The same bundle with measured figures."""
        return dataclasses.replace(self, metrics=metrics)

    def model(self) -> keras.Model:
        """The Keras model, ready for inference.

        Our own code builds it from the recipe, and only the numbers come from the file: nothing in it can run, and a
        model that a newer Keras saved loads in an older one, which would not know all of its configuration.

        Raises:
            BundleError: the recipe makes no model, or the file does not hold the weights of this recipe's model.
        """
        try:
            model = build_model(self.recipe)
        except RecipeError as error:
            raise BundleError(f"the recipe in {FACTS} of {self.name} makes no network: {one_line(error)}") from error
        self.fill(model)
        return model

    def fill(self, model: keras.Model) -> None:
        """Gives a model of this recipe the weights. Raises BundleError as ``model``."""
        with tempfile.NamedTemporaryFile(suffix=".keras") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of each layer that is missing in the file: the error names the first
            file.write(self.weights)
            file.flush()
            try:
                model.load_weights(file.name)
            except Exception as error:  # keras raises whatever its parsers do
                raise BundleError(f"model.keras of {self.name} cannot be loaded: {one_line(error)}") from error
