"""The model bundle in memory: a trained network, and everything that is needed to repeat its preprocessing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import numbers
import platform
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from colorize_core import models
from colorize_core.bundle import weights_file
from colorize_core.bundle.doubt import DoubtScale
from colorize_core.bundle.facts import FACTS, FAITHFUL, VIVID, storable
from colorize_core.errors import BundleError, RecipeError, UserError, one_line
from colorize_core.recipes import Recipe
from colorize_core.recipes.network import build_model

if TYPE_CHECKING:
    import keras

_ZIP = b"PK"


class Coloring(NamedTuple):
    """The choice of ab in a prediction.

    Attributes:
        odds: which odds of a class head give ab: ``faithful`` or ``vivid``. Without a class head it is ``faithful``.
        gain: factor of ab.
    """

    odds: str
    gain: float

    @property
    def value(self) -> float | str:
        """The factor of faithful colors, or the name of other odds."""
        return self.gain if self.odds == FAITHFUL else self.odds

    def __str__(self) -> str:
        """Text for the settings of a result, such as ``1.55`` or ``vivid``."""
        return f"{self.gain:g}" if self.odds == FAITHFUL else self.odds


FAITHFUL_COLORS = Coloring(FAITHFUL, 1.0)


@dataclass(frozen=True)
class Bundle:
    """A trained model, its recipe, and the facts of its training. ``load_bundle`` reads one.

    Attributes:
        recipe: the recipe that was trained; it says how to prepare the network's input.
        weights: content of ``weights.safetensors``, or of ``model.keras`` in format 1.
        saturation: factors of ab by name. ``faithful`` leaves the prediction unchanged. With ``vivid``, a sample of the
            validation images was as colorful as the originals; it is absent if the network is too weak for it. A
            network with a class head has odds of its own for ``vivid``, and its factors are 1.
        training: data, fingerprint, images per split, epochs, minutes.
        metrics: results on the test split, as ``Measurements.facts`` returns them; they include the gray copy and the
            mean chroma.
        versions: versions of Python and of the libraries in training, by name.
        onnx: the same network as a whole ONNX file; b'' if there is none, as in format 1: then only Keras runs it.
        doubt: the error of ab to expect from the spread of the odds; None if the network has no class head.
        converted: differences between ``onnx`` and the Keras model, as ``ConversionCheck.facts`` returns them.

    Example:
        >>> from colorize_core import load_bundle
        >>> bundle = load_bundle("default")
        >>> bundle.name, bundle.doubt.doubt(spread=14.0) > bundle.doubt.doubt(spread=12.0)
        ('unet-lite2', True)
    """

    recipe: Recipe
    weights: bytes = field(repr=False)
    saturation: Mapping[str, float]
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]
    versions: Mapping[str, str]
    onnx: bytes = field(default=b"", repr=False)
    converted: Mapping[str, Any] = field(default_factory=dict)
    doubt: DoubtScale | None = None

    @classmethod
    def create(
        cls,
        recipe: Recipe,
        weights: bytes,
        vivid_gain: float | None,
        training: Mapping[str, Any],
        onnx: bytes = b"",
        converted: Mapping[str, Any] | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> Bundle:
        """Returns a bundle of weights that were just trained by this Python with libraries of these versions.

        Without ``vivid_gain`` the bundle has no vivid colors.
        Texts in ``training`` come from the user, so ``storable`` escapes and cuts them.
        """
        saturation = {FAITHFUL: 1.0} | ({} if vivid_gain is None else {VIVID: vivid_gain})
        all_versions = {**(versions or {}), "python": platform.python_version()}
        return cls(recipe, weights, saturation, storable(training), {}, all_versions, onnx, converted or {})

    @property
    def name(self) -> str:
        """The name of the recipe."""
        return self.recipe.name

    @property
    def digest(self) -> str:
        """SHA-256 of the trained weights and of the settings that decide how they are used.

        ``model.onnx`` is the same network; ``bundle.json`` has another digest for it. Settings with their default value
        are left out, so a setting that a later version adds changes no digest.
        """
        data, model, training = self.recipe.data, self.recipe.model, self.recipe.training
        settings = [
            data.model_dump(mode="json", exclude_defaults=True),
            # After training it no longer matters where the first weights came from.
            model.model_dump(mode="json", exclude_defaults=True, exclude={"encoder_weights", "start"}),
        ]
        if training.loss == "ab-classification":
            settings.append(training.model_dump(mode="json", include={"loss", "ab_step", "temperature"}))
        elif model.class_head:
            settings.append(training.model_dump(mode="json", include={"ab_step"}))
        return hashlib.sha256(json.dumps([self.weights_digest, *settings], sort_keys=True).encode()).hexdigest()

    @cached_property  # takes 8 ms for 15 MB, and is needed often
    def weights_digest(self) -> str:
        """SHA-256 of the trained weights."""
        return hashlib.sha256(self.weights).hexdigest()

    def coloring(self, saturation: str | float) -> Coloring:
        """Returns what a name in ``saturation`` stands for; a number is a factor of the faithful ab.

        Raises:
            BundleError: the bundle has no saturation of this name.
            UserError: the number is below 0 or not finite.

        Example:
            >>> from colorize_core import load_bundle
            >>> load_bundle("default").coloring(0.8)
            Coloring(odds='faithful', gain=0.8)
        """
        if not isinstance(saturation, str):
            if not (isinstance(saturation, numbers.Real) and 0 <= saturation < math.inf):
                raise UserError(f"saturation is {saturation!r}, must be a name or a number of 0 or more")
            return Coloring(FAITHFUL, saturation)
        if saturation not in self.saturation:
            why = " (its network is too weak for vivid colors)" if saturation == VIVID else ""
            raise BundleError(
                f"saturation {saturation!r} of {self.name}{why}: choose from {', '.join(self.saturation)}, or a number"
            )
        return Coloring(saturation if self.recipe.model.class_head else FAITHFUL, self.saturation[saturation])

    def colorings(self) -> dict[str, Coloring]:
        """Returns the colorings by the names in ``saturation``."""
        return {name: self.coloring(name) for name in self.saturation}

    def with_doubt(self, doubt: DoubtScale | None) -> Bundle:
        """Returns the same bundle with another scale of doubt."""
        return dataclasses.replace(self, doubt=doubt)

    def with_metrics(self, metrics: Mapping[str, Any]) -> Bundle:
        """Returns the same bundle with other metrics."""
        return dataclasses.replace(self, metrics=metrics)

    def model(self) -> keras.Model:
        """Returns the Keras model of inference, without outputs that only training needs.

        This package builds the model from the recipe; only the numbers come from the file. Therefore nothing in the
        file can run, and a file of a newer Keras loads in an older Keras, even if that does not know its configuration.

        Raises:
            BundleError: no model can be built from the recipe, or the weights are those of another model.
        """
        try:
            model = build_model(self.recipe)
        except RecipeError as error:
            raise BundleError(
                f"the network of {self.name} cannot be built from its {FACTS}: {one_line(error)}"
            ) from error
        self.fill(model)
        return models.inference_model(model)

    def fill(self, model: keras.Model) -> None:
        """Loads the weights into a model that was built from this recipe. Raises BundleError if they do not fit."""
        try:
            if self._has_keras_file:
                _fill_from_keras_file(model, self.weights)
            else:
                weights_file.fill(model, weights_file.unpack(self.weights))
        except Exception as error:  # keras passes on the errors of its parsers
            raise BundleError(f"the weights of {self.name} cannot be loaded: {one_line(error)}") from error

    @property
    def _has_keras_file(self) -> bool:
        """Whether ``weights`` are those of format 1."""
        return self.weights.startswith(_ZIP)


def _fill_from_keras_file(model: keras.Model, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".keras") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one per layer that is missing in the file; the error names the first
        file.write(content)
        file.flush()
        model.load_weights(file.name)
