"""The model bundle: a folder with everything that inference needs to repeat the preprocessing.

``model.onnx``, ``model.keras``, ``bundle.json``, ``history.csv``, ``curves.png``, ``samples.png`` and
``MODEL_CARD.md``, local or in object storage. Format 1 has no ``model.onnx``. Loading refuses files of a wrong digest
and never runs code from a file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorize_core import models, storage
from colorize_core.bundle.card import write_card
from colorize_core.bundle.examination import examine
from colorize_core.bundle.facts import FAITHFUL, FORMATS, LARGEST_FACTS, VIVID, UnsafeError, parse, storable
from colorize_core.errors import BundleError, RecipeError, one_line
from colorize_core.recipes import Recipe

if TYPE_CHECKING:
    import keras

__all__ = [
    "CURVES",
    "DEFAULT",
    "FACTS",
    "FAITHFUL",
    "FORMATS",
    "VIVID",
    "Bundle",
    "is_shipped",
    "load_bundle",
    "place",
    "read_curves",
    "read_extras",
    "start_from",
    "storable",
]

DEFAULT = "default"
FACTS = "bundle.json"
_WEIGHTS, _ONNX, _CARD = "model.keras", "model.onnx", "MODEL_CARD.md"
CURVES = "curves.png"
_ASIDE = "_saving"  # folder in a bundle, while it is written
_LARGEST_MODEL = (1 << 31) - 1  # bytes of model.keras and model.onnx: protobuf's limit
_LARGEST_PICTURE = 32 << 20  # bytes
_PNG = b"\x89PNG\r\n\x1a\n"
_LARGEST_GAIN = 10.0
_SHIPPED = Path(__file__).parents[1] / "pretrained"
_VERSIONS = ("keras", "numpy", "onnx", "onnxruntime", "ray", "tensorflow", "tf2onnx")


@dataclass(frozen=True)
class Bundle:
    """A trained model and what is known about it.

    Attributes:
        weights: content of ``model.keras``.
        saturation: gains of ab by name: ``faithful`` is what the network said, with ``vivid`` a sample of the
            validation images is as colorful as the truth.
        training: data, fingerprint, images per split, epochs, minutes.
        metrics: measured on the test split, with those of the gray copy and the mean chroma: ``Judgement.facts``.
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
        return hashlib.sha256(json.dumps([self._weights_digest, *settings], sort_keys=True).encode()).hexdigest()

    @cached_property  # it takes 8 ms for 15 MB, and is asked for often
    def _weights_digest(self) -> str:
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
            model = models.of_recipe(self.recipe)
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

    def save(self, path: str, extras: Mapping[str, bytes]) -> None:
        """Writes the bundle in place of an old one, which stays as it is where the new one cannot be written.

        Args:
            path: its folder.
            extras: further files by name; a ``MODEL_CARD.md`` among them replaces the one that is written otherwise.

        Raises:
            OSError: ``path`` cannot be written.
        """
        facts = {
            "format": 2 if self.onnx else 1,
            "name": self.name,
            "digest": self.digest,
            "weights_sha256": self._weights_digest,
            **({"onnx_sha256": hashlib.sha256(self.onnx).hexdigest(), "onnx": self.converted} if self.onnx else {}),
            "recipe": self.recipe.model_dump(),
            "saturation": self.saturation,
            "training": self.training,
            "metrics": self.metrics,
            "versions": self.versions,
        }
        files = {_CARD: write_card(self).encode(), **extras, _WEIGHTS: self.weights}
        if self.onnx:
            files[_ONNX] = self.onnx
        files[FACTS] = (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()
        _replace(path, files)


def _replace(folder: str, files: Mapping[str, bytes]) -> None:
    """Writes all files aside, then puts them in place in their order. Raises OSError."""
    if storage.is_local(folder):
        with ExitStack() as places:
            for name, content in reversed(list(files.items())):  # what is entered last is put in place first
                file = places.enter_context(storage.replacing(storage.join(folder, name)))
                file.write(content)
                file.flush()  # a full disk shows here
        return
    aside = storage.join(folder, _ASIDE)
    try:
        for place in (aside, folder):  # stores cannot rename: what they took once they will take again
            for name, content in files.items():
                storage.write(storage.join(place, name), content)
    finally:
        storage.remove_if_there(aside)


def load_bundle(name: str) -> Bundle:
    """Loads a shipped bundle by name, or one from a folder.

    Nothing in the files is run, no file is read that they name, and what would take all memory or time is refused. The
    files of a shipped bundle are as trusted as this code, and open faster.

    Raises:
        BundleError: no such bundle, a file of it is missing, damaged or unsafe, or not the one it was saved with.
    """
    path = place(name)
    content = _read(path, name, FACTS, LARGEST_FACTS)
    try:
        facts, recipe = parse(content)
    except UnsafeError as error:
        raise BundleError(f"{FACTS} of {name} {error}") from error
    made = Bundle(
        recipe,
        _read(path, name, _WEIGHTS, _LARGEST_MODEL),
        facts["saturation"],
        facts["training"],
        facts["metrics"],
        facts["versions"],
        _read(path, name, _ONNX, _LARGEST_MODEL) if facts["format"] >= 2 else b"",
        facts.get("onnx", {}),
    )
    if made._weights_digest != facts["weights_sha256"]:
        raise BundleError(f"{_WEIGHTS} of {name} is not the file that its {FACTS} describes: fetch it again")
    if facts["format"] >= 2 and hashlib.sha256(made.onnx).hexdigest() != facts["onnx_sha256"]:
        raise BundleError(f"{_ONNX} of {name} is not the file that its {FACTS} describes: fetch it again")
    if made.digest != facts["digest"]:
        raise BundleError(f"model bundle {name} is not what its {FACTS} describes (digest): fetch it again")
    if facts["format"] >= 2 and not made.onnx:
        raise BundleError(f"{_ONNX} of {name} is empty: fetch it again")
    if not is_shipped(name):
        examine(recipe, made.weights, made.onnx, name)
    return made


def _read(path: str, name: str, file: str, largest: int) -> bytes:
    """Reads a file of a bundle, if it has no more than ``largest`` bytes. Raises BundleError."""
    try:
        found = storage.look(storage.join(path, file))
        if found is None and file == FACTS:
            raise FileNotFoundError
        if found is None:
            raise BundleError(f"{file} of {name} is missing: fetch the model bundle again or train anew")
        if found.size > largest:
            raise BundleError(
                f"{file} of {name} has {found.size:,} bytes, more than {largest:,}: fetch the model bundle again"
            )
        content = storage.read(storage.join(path, file))
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(
            f"no model bundle {name!r}: choose from {', '.join(_shipped())}, or name a folder that colorize train made"
        ) from None
    except OSError as error:
        raise BundleError(f"model bundle {name} cannot be read: {one_line(error)}") from error
    if len(content) > largest:
        raise BundleError(f"{file} of {name} has more than {largest:,} bytes: fetch the model bundle again")
    return content


def read_curves(name: str) -> bytes | None:
    """Reads ``curves.png`` of a bundle; None where there is none, or a file that is no PNG or far too large for one."""
    path = storage.join(place(name), CURVES)
    found = storage.look(path)
    content = storage.read(path) if found and found.size <= _LARGEST_PICTURE else b""
    return content if content.startswith(_PNG) and len(content) <= _LARGEST_PICTURE else None


def read_extras(name: str) -> dict[str, bytes]:
    """Reads the further files of a bundle, as ``Bundle.save`` takes them. Raises BundleError if one is too large."""
    path = place(name)
    own = (_WEIGHTS, _ONNX, FACTS)
    return {
        entry.name: _read(path, name, entry.name, _LARGEST_PICTURE)
        for entry in storage.find(path)
        if entry.name not in own
    }


def _shipped() -> list[str]:
    return sorted(folder.name for folder in _SHIPPED.iterdir() if (folder / FACTS).is_file())


def is_shipped(name: str) -> bool:
    """Whether colorize has a bundle of this name."""
    return name in _shipped()


def place(name: str) -> str:
    """The folder of a bundle, which need not be there: of a shipped one, else ``name`` made absolute."""
    return str(_SHIPPED / name) if is_shipped(name) else storage.absolute(name)


def start_from(model: keras.Model, name: str) -> None:
    """Gives a model the weights of a bundle. Raises BundleError where the bundle's model is another one."""
    made = load_bundle(name)
    shapes = [[tuple(weight.shape) for weight in each.weights] for each in (model, models.of_recipe(made.recipe))]
    if shapes[0] != shapes[1]:
        raise BundleError(f"model.start {name} is another model than the recipe's: give it the same model and settings")
    made.fill(model)  # not by set_weights: layers that compute with copies of their weights would keep the old ones
