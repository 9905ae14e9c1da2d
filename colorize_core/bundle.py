"""The model bundle: a folder with everything that inference needs to repeat the preprocessing.

``model.onnx``, ``model.keras``, ``bundle.json``, ``history.csv``, ``curves.png``, ``samples.png`` and
``MODEL_CARD.md``, local or in object storage. Format 1 has no ``model.onnx``. Loading refuses files of a wrong digest
and never runs code from a file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import io
import json
import platform
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from colorize_core import models, storage
from colorize_core.errors import BundleError, one_line
from colorize_core.recipes import Recipe

if TYPE_CHECKING:
    import keras

FORMATS = (1, 2)  # of bundle.json; raised when an older reader would misread it. 1: without model.onnx
DEFAULT = "default"
FAITHFUL = "faithful"  # what the network said: the mean of all plausible colors, hence dull
VIVID = "vivid"
FACTS = "bundle.json"
CURVES = "curves.png"
_ASIDE = "_saving"  # folder in a bundle, while it is written
_CARD = (("mse", ".4f"), ("ssim", ".3f"), ("ciede2000", ".2f"), ("colorfulness", ".1f"))  # columns of the card's table
_SHIPPED = Path(__file__).parent / "pretrained"
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
        """Makes a bundle of weights that were just trained with the installed libraries."""
        versions = {name: importlib.metadata.version(name) for name in _VERSIONS}
        saturation = {FAITHFUL: 1.0, VIVID: vivid_gain}
        versions["python"] = platform.python_version()
        return cls(recipe, weights, saturation, training, {}, versions, onnx, converted or {})

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides a result: the weights, and how they are used.

        Settings that have their default are left out: a setting that a later version adds changes no digest.
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

    @property
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
            BundleError: the file does not hold the weights of this recipe's model.
        """
        model = models.of_recipe(self.recipe)
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

        Raises OSError.
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
        files = {**extras, "MODEL_CARD.md": _card(self).encode(), "model.keras": self.weights}
        if self.onnx:
            files["model.onnx"] = self.onnx
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
    """A shipped bundle by name, or one from a folder.

    Raises:
        BundleError: no such bundle, a file of it is missing or damaged, or the weights are not those it was saved with.
    """
    path = place(name)
    try:
        facts = json.loads(storage.read(storage.join(path, FACTS)))
        weights = storage.read(storage.join(path, "model.keras"))
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(
            f"no model bundle {name!r}: choose from {', '.join(_shipped())}, or name a folder that colorize train made"
        ) from None
    except (OSError, ValueError) as error:
        raise BundleError(f"model bundle {name} cannot be read: {one_line(error)}") from error
    try:
        if facts["format"] not in FORMATS:
            raise BundleError(f"model bundle {name} has format {facts['format']}, need {FORMATS[-1]}: update colorize")
        if hashlib.sha256(weights).hexdigest() != facts["weights_sha256"]:
            raise BundleError(f"model.keras of {name} is not the file that its bundle.json describes: fetch it again")
        onnx = storage.read(storage.join(path, "model.onnx")) if facts["format"] >= 2 else b""
        if onnx and hashlib.sha256(onnx).hexdigest() != facts["onnx_sha256"]:
            raise BundleError(f"model.onnx of {name} is not the file that its bundle.json describes: fetch it again")
        recipe = Recipe.model_validate(facts["recipe"])
        return Bundle(
            recipe,
            weights,
            facts["saturation"],
            facts["training"],
            facts["metrics"],
            facts["versions"],
            onnx,
            facts["onnx"] if onnx else {},
        )
    except (KeyError, TypeError, ValidationError) as error:
        raise BundleError(f"bundle.json of {name} is damaged: {one_line(error)}") from error


def read_curves(name: str) -> bytes | None:
    """``curves.png`` of a bundle, PNG; None where there is none."""
    path = storage.join(place(name), CURVES)
    return storage.read(path) if storage.exists(path) else None


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


def _card(made: Bundle) -> str:
    training, metrics = made.training, made.metrics
    card = io.StringIO()
    card.write(f"# {made.name}\n\n")
    what = "CIE ab from L" if made.recipe.data.color_space == "lab" else "RGB from gray"
    card.write(f"Colorizes grayscale photographs: predicts {what}. The colors are plausible, not true.\n\n")
    card.write("## Trained on\n\n")
    card.write(f"`{training['data']}`: {training['images']['train']} images to learn from, {training['images']['val']}")
    card.write(f" to choose the epoch, {training['rejected']} unreadable. {training['note']}\n\n")
    card.write(f"{training['epochs']} epochs in {training['minutes']} minutes, {training['workers']} worker(s)")
    card.write(f"{' on GPUs' if training['gpu'] else ' on CPU'}; epoch {training['best_epoch']} is kept. ")
    card.write(f"Data fingerprint `{training['fingerprint'][:16]}`, model digest `{made.digest[:16]}`.\n\n")
    card.write(
        f"## Measured\n\nOn {metrics['images']} test images that training never saw, at full resolution, with 95 % "
    )
    card.write("bootstrap intervals of the mean.\n\n")
    card.write("| | PSNR (dB) | MSE, RGB in [0, 1] | SSIM | CIEDE2000 | colorfulness |\n|---|---|---|---|---|---|\n")
    for label, row in metrics["tables"]["full"].items():
        psnr = "{mean:.2f} ({low:.2f} to {high:.2f})".format(**row["psnr"])
        means = [(row[name]["mean"], form) for name, form in _CARD]
        others = " | ".join("" if mean is None else f"{mean:{form}}" for mean, form in means)
        card.write(f"| {label} | {psnr} | {others} |\n")
    card.write(f"| truth | | | | | {metrics['truth']['colorfulness']['mean']:.1f} |\n\n")
    for label, names in metrics["not_beaten"]["full"].items():
        if names:
            card.write(f"**{label} does not beat the {' and the '.join(names)}.**\n\n")
    vivid = made.saturation[VIVID]
    card.write(f"`faithful` is what the network said, `vivid` has {vivid:g} times its chroma: so a sample of the ")
    card.write(
        "validation images is as colorful as the truth. Colorfulness after Hasler and Süsstrunk (2003), signed. "
    )
    card.write("See `samples.png` and `curves.png`.\n")
    return card.getvalue()
