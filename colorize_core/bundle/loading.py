"""Reads a model bundle. Digests are checked, nothing in it is run, and what would take all memory is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from colorize_core import storage
from colorize_core.bundle.examination import examine
from colorize_core.bundle.facts import CURVES, FACTS, LARGEST_FACTS, ONNX, WEIGHTS, UnsafeError, parse
from colorize_core.bundle.model_bundle import Bundle
from colorize_core.errors import BundleError, one_line
from colorize_core.recipes.network import build_model

if TYPE_CHECKING:
    import keras

DEFAULT = "default"
_LARGEST_MODEL = (1 << 31) - 1  # bytes of model.keras and model.onnx: protobuf's limit
_LARGEST_PICTURE = 32 << 20  # bytes
_PNG = b"\x89PNG\r\n\x1a\n"
_SHIPPED = Path(__file__).parents[1] / "pretrained"


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
        _read(path, name, WEIGHTS, _LARGEST_MODEL),
        facts["saturation"],
        facts["training"],
        facts["metrics"],
        facts["versions"],
        _read(path, name, ONNX, _LARGEST_MODEL) if facts["format"] >= 2 else b"",
        facts.get("onnx", {}),
    )
    if made.weights_digest != facts["weights_sha256"]:
        raise BundleError(f"{WEIGHTS} of {name} is not the file that its {FACTS} describes: fetch it again")
    if facts["format"] >= 2 and hashlib.sha256(made.onnx).hexdigest() != facts["onnx_sha256"]:
        raise BundleError(f"{ONNX} of {name} is not the file that its {FACTS} describes: fetch it again")
    if made.digest != facts["digest"]:
        raise BundleError(f"model bundle {name} is not what its {FACTS} describes (digest): fetch it again")
    if facts["format"] >= 2 and not made.onnx:
        raise BundleError(f"{ONNX} of {name} is empty: fetch it again")
    if not is_shipped(name):
        examine(recipe, made.weights, made.onnx, name)
    return made


def _read(path: str, name: str, file: str, largest: int) -> bytes:
    """Reads a file of a bundle, if it has no more than ``largest`` bytes. Raises BundleError."""
    try:
        found = storage.stat(storage.join(path, file))
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
    found = storage.stat(path)
    content = storage.read(path) if found and found.size <= _LARGEST_PICTURE else b""
    return content if content.startswith(_PNG) and len(content) <= _LARGEST_PICTURE else None


def read_extras(name: str) -> dict[str, bytes]:
    """Reads the further files of a bundle, as ``Bundle.save`` takes them. Raises BundleError if one is too large."""
    path = place(name)
    own = (WEIGHTS, ONNX, FACTS)
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
    shapes = [[tuple(weight.shape) for weight in each.weights] for each in (model, build_model(made.recipe))]
    if shapes[0] != shapes[1]:
        raise BundleError(f"model.start {name} is another model than the recipe's: give it the same model and settings")
    made.fill(model)  # not by set_weights: layers that compute with copies of their weights would keep the old ones
