"""Writes a model bundle to a folder, complete or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack

from colorize_core import storage
from colorize_core.bundle.card import write_card
from colorize_core.bundle.facts import CARD, FACTS, ONNX, WEIGHTS
from colorize_core.bundle.model_bundle import Bundle

_STAGING = "_saving"  # folder in a bundle while the bundle is written


def save_bundle(bundle: Bundle, path: str, extras: Mapping[str, bytes]) -> None:
    """Writes a bundle. An old bundle at the same place stays intact if the new one cannot be written.

    Args:
        bundle: a bundle with metrics.
        path: the folder to write to.
        extras: more files by name; ``MODEL_CARD.md`` among them replaces the card that is made from the metrics.

    Raises:
        OSError: ``path`` cannot be written.
    """
    facts = {
        "format": 2 if bundle.onnx else 1,
        "name": bundle.name,
        "digest": bundle.digest,
        "weights_sha256": bundle.weights_digest,
        **({"onnx_sha256": hashlib.sha256(bundle.onnx).hexdigest(), "onnx": bundle.converted} if bundle.onnx else {}),
        "recipe": bundle.recipe.model_dump(),
        "saturation": bundle.saturation,
        "training": bundle.training,
        "metrics": bundle.metrics,
        "versions": bundle.versions,
    }
    files = {CARD: write_card(bundle).encode(), **extras, WEIGHTS: bundle.weights}
    if bundle.onnx:
        files[ONNX] = bundle.onnx
    files[FACTS] = (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()
    _replace(path, files)


def _replace(folder: str, files: Mapping[str, bytes]) -> None:
    """Writes all files to temporary places, then moves them to their own in the given order. Raises OSError."""
    if storage.is_local(folder):
        with ExitStack() as places:
            for name, content in reversed(list(files.items())):  # the file that is entered last is moved first
                file = places.enter_context(storage.replacing(storage.join(folder, name)))
                file.write(content)
                file.flush()  # raises if the disk is full
        return
    staging = storage.join(folder, _STAGING)
    try:
        for place in (staging, folder):  # stores cannot rename; what they accepted once they accept again
            for name, content in files.items():
                storage.write(storage.join(place, name), content)
    finally:
        storage.remove_if_there(staging)
