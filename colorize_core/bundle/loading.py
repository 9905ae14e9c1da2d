"""Reads a model bundle: checks digests, runs no code from it, and refuses files that would take all memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from colorize_core import storage
from colorize_core.bundle.facts import CURVES, FACTS, LARGEST_FACTS, ONNX, REMEDY, WEIGHTS, UnsafeError, parse
from colorize_core.bundle.model_bundle import Bundle
from colorize_core.bundle.sandbox import check_in_sandbox
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
    """Loads a model bundle.

    No code in the files is run, and no other file that they name is read. Files that would take all memory or time are
    refused. A shipped bundle loads faster: its files are trusted as much as this code.

    Args:
        name: the name of a shipped bundle, such as ``default``, or a folder or URL with a bundle.

    Returns:
        The bundle.

    Raises:
        BundleError: there is no such bundle, or a file is missing, damaged, unsafe, or not the one that was saved.

    Example:
        >>> load_bundle("default").name
        'unet-lite'
    """
    path = place(name)
    content = _read(path, name, FACTS, LARGEST_FACTS)
    try:
        facts, recipe = parse(content)
    except UnsafeError as error:
        raise BundleError(f"{FACTS} of {name} {error}") from error
    loaded = Bundle(
        recipe,
        _read(path, name, WEIGHTS, _LARGEST_MODEL),
        facts["saturation"],
        facts["training"],
        facts["metrics"],
        facts["versions"],
        _read(path, name, ONNX, _LARGEST_MODEL) if facts["format"] >= 2 else b"",
        facts.get("onnx", {}),
    )
    if loaded.weights_digest != facts["weights_sha256"]:
        raise BundleError(f"{WEIGHTS} of {name} is not the file that its {FACTS} describes: {REMEDY}")
    if facts["format"] >= 2 and hashlib.sha256(loaded.onnx).hexdigest() != facts["onnx_sha256"]:
        raise BundleError(f"{ONNX} of {name} is not the file that its {FACTS} describes: {REMEDY}")
    if loaded.digest != facts["digest"]:
        raise BundleError(f"model bundle {name} is not what its {FACTS} describes (digest): {REMEDY}")
    if facts["format"] >= 2 and not loaded.onnx:
        raise BundleError(f"{ONNX} of {name} is empty: {REMEDY}")
    if not is_shipped(name):
        check_in_sandbox(recipe, loaded.weights, loaded.onnx, name)
    return loaded


def _read(path: str, name: str, file: str, largest: int) -> bytes:
    """Reads a file of a bundle, if it has no more than ``largest`` bytes. Raises BundleError."""
    try:
        found = storage.stat(storage.join(path, file))
        if found is None and file == FACTS:
            raise FileNotFoundError
        if found is None:
            raise BundleError(f"{file} of {name} is missing: {REMEDY}")
        if found.size > largest:
            raise BundleError(f"{file} of {name} has {found.size:,} bytes, more than {largest:,}: {REMEDY}")
        content = storage.read(storage.join(path, file))
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(
            f"no model bundle {name!r}: choose from {', '.join(_shipped())}, or name a folder that colorize train made"
        ) from None
    except OSError as error:
        raise BundleError(f"model bundle {name} cannot be read: {one_line(error)}") from error
    if len(content) > largest:
        raise BundleError(f"{file} of {name} has more than {largest:,} bytes: {REMEDY}")
    return content


def read_curves(name: str) -> bytes | None:
    """Reads ``curves.png`` of a bundle. Returns None if it is missing, is not a PNG, or is larger than 32 MiB."""
    path = storage.join(place(name), CURVES)
    found = storage.stat(path)
    content = storage.read(path) if found and found.size <= _LARGEST_PICTURE else b""
    return content if content.startswith(_PNG) and len(content) <= _LARGEST_PICTURE else None


def read_extras(name: str) -> dict[str, bytes]:
    """Reads the other files of a bundle, as ``save_bundle`` takes them. Raises BundleError if one is too large."""
    path = place(name)
    main = (WEIGHTS, ONNX, FACTS)
    return {
        entry.name: _read(path, name, entry.name, _LARGEST_PICTURE)
        for entry in storage.find(path)
        if entry.name not in main
    }


def _shipped() -> list[str]:
    return sorted(folder.name for folder in _SHIPPED.iterdir() if (folder / FACTS).is_file())


def is_shipped(name: str) -> bool:
    """Returns True if a bundle of this name is shipped with colorize."""
    return name in _shipped()


def place(name: str) -> str:
    """Returns the folder of a shipped bundle, or else ``name`` as an absolute path. The folder need not exist."""
    return str(_SHIPPED / name) if is_shipped(name) else storage.absolute(name)


def start_from(model: keras.Model, name: str) -> None:
    """Loads the weights of a bundle into a model. Raises BundleError if the bundle has a different model."""
    start = load_bundle(name)
    shapes = [[tuple(weight.shape) for weight in each.weights] for each in (model, build_model(start.recipe))]
    if shapes[0] != shapes[1]:
        raise BundleError(
            f"model.start {name} has another model than the recipe: choose a bundle with the same model and settings"
        )
    start.fill(model)  # set_weights would leave old weights in layers that compute with copies of theirs
