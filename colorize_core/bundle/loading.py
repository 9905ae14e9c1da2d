"""Reads a model bundle: checks digests, runs no code from it, and refuses files that would take all memory."""

from __future__ import annotations

import hashlib
from pathlib import Path

from colorize_core import storage
from colorize_core.bundle import onnx_weights, weights_file
from colorize_core.bundle.doubt import DoubtScale
from colorize_core.bundle.facts import (
    CURVES,
    FACTS,
    KERAS_WEIGHTS,
    LARGEST_FACTS,
    ONNX,
    REMEDY,
    WEIGHTS,
    UnsafeError,
    parse,
)
from colorize_core.bundle.model_bundle import Bundle
from colorize_core.bundle.sandbox import check_in_sandbox
from colorize_core.errors import BundleError, one_line

DEFAULT = "default"
_LARGEST_MODEL = (1 << 31) - 1  # bytes of the weights and of model.onnx: protobuf's limit
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
        'unet-lite2'
    """
    path = place(name)
    content = _read(path, name, FACTS, LARGEST_FACTS)
    try:
        facts, recipe = parse(content)
    except UnsafeError as error:
        raise BundleError(f"{FACTS} of {name} {error}") from error
    file = KERAS_WEIGHTS if facts["format"] == 1 else WEIGHTS
    weights = _read(path, name, file, _LARGEST_MODEL)
    onnx = _read(path, name, ONNX, _LARGEST_MODEL) if facts.get("onnx") else b""
    if hashlib.sha256(weights).hexdigest() != facts["weights_sha256"]:
        raise BundleError(f"{file} of {name} is not the file that its {FACTS} describes: {REMEDY}")
    if facts.get("onnx") and hashlib.sha256(onnx).hexdigest() != facts["onnx_sha256"]:
        raise BundleError(f"{ONNX} of {name} is not the file that its {FACTS} describes: {REMEDY}")
    if facts.get("onnx") and not onnx:
        raise BundleError(f"{ONNX} of {name} is empty: {REMEDY}")
    if not is_shipped(name):
        check_in_sandbox(recipe, weights, file, onnx, name)
    loaded = Bundle(
        recipe,
        weights,
        facts["saturation"],
        facts["training"],
        facts["metrics"],
        facts["versions"],
        _whole(onnx, weights, name) if onnx else b"",
        facts.get("onnx") or {},
        DoubtScale(*(tuple(facts["doubt"][name]) for name in ("spreads", "errors"))) if facts.get("doubt") else None,
    )
    if loaded.digest != facts["digest"]:
        raise BundleError(f"model bundle {name} is not what its {FACTS} describes (digest): {REMEDY}")
    return loaded


def _whole(onnx: bytes, weights: bytes, name: str) -> bytes:
    """Returns the whole ONNX file. Raises BundleError."""
    try:
        return onnx_weights.join(onnx, weights_file.unpack(weights))
    except UnsafeError as error:  # of a shipped bundle, which was not checked in the sandbox
        raise BundleError(f"{ONNX} or {WEIGHTS} of {name} {error}") from error


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
    main = (WEIGHTS, KERAS_WEIGHTS, ONNX, FACTS)
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
