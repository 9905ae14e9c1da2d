"""Writes a model bundle to a folder, ``bundle.json`` last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict

from colorize_core import storage
from colorize_core.bundle import onnx_weights, weights_file
from colorize_core.bundle.card import write_card
from colorize_core.bundle.facts import CARD, FACTS, FORMATS, ONNX, WEIGHTS
from colorize_core.bundle.model_bundle import Bundle

_STAGING = "_saving"  # folder in a bundle while the bundle is written


def save_bundle(bundle: Bundle, path: str, extras: Mapping[str, bytes]) -> None:
    """Writes a bundle: first all files to temporary places, so that a full disk or store leaves an old bundle intact.

    Args:
        bundle: a bundle with metrics. Its weights must not be those of format 1.
        path: the folder to write to.
        extras: more files by name; ``MODEL_CARD.md`` among them replaces the card that is made from the metrics.

    Raises:
        OSError: ``path`` cannot be written.
    """
    onnx = onnx_weights.separate(bundle.onnx, weights_file.unpack(bundle.weights)) if bundle.onnx else b""
    facts = {
        "format": FORMATS[-1],
        "name": bundle.name,
        "digest": bundle.digest,
        "weights_sha256": bundle.weights_digest,
        "onnx_sha256": hashlib.sha256(onnx).hexdigest() if onnx else None,
        "onnx": bundle.converted if onnx else None,
        "recipe": bundle.recipe.model_dump(),
        "saturation": bundle.saturation,
        "doubt": asdict(bundle.doubt) if bundle.doubt else None,
        "training": bundle.training,
        "metrics": bundle.metrics,
        "versions": bundle.versions,
    }
    files = {CARD: write_card(bundle).encode(), **extras, WEIGHTS: bundle.weights}
    if onnx:
        files[ONNX] = onnx
    files[FACTS] = (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()
    _replace(path, files)


def _replace(folder: str, files: Mapping[str, bytes]) -> None:
    """Moves files into place one by one, in the given order. In stores, first uploads all to a staging folder.

    On a local disk, all files are complete before the first is moved. Stores cannot rename: there the upload to the
    staging folder is a rehearsal, and the files are then uploaded again to their places.

    Raises:
        OSError: a file cannot be written. Files that were already moved or uploaded to their places stay.
    """
    if storage.is_local(folder):
        with ExitStack() as places:
            for name, content in reversed(list(files.items())):  # the file that is entered last is moved first
                file = places.enter_context(storage.replacing(storage.join(folder, name)))
                file.write(content)
                file.flush()  # raises if the disk is full
        return
    staging = storage.join(folder, _STAGING)
    try:
        for place in (staging, folder):  # what a store accepted once it accepts again
            for name, content in files.items():
                storage.write(storage.join(place, name), content)
    finally:
        storage.remove_if_there(staging)
