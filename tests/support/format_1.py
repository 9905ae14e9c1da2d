"""A bundle of format 1: its weights are in ``model.keras``, and it has no ONNX file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from colorize_core.bundle import Bundle, place
from colorize_core.recipes.network import build_model


def write_format_1(bundle: Bundle, name: str, folder: Path) -> Bundle:
    """Writes a shipped bundle as one of format 1, and returns it as it will be loaded.

    Args:
        bundle: the bundle.
        name: its name.
        folder: the folder to make.
    """
    folder.mkdir()
    model = build_model(bundle.recipe)
    bundle.fill(model)
    model.save(folder / "model.keras")
    weights = (folder / "model.keras").read_bytes()
    old = replace(bundle, weights=weights, onnx=b"", converted={})
    facts = json.loads(Path(place(name), "bundle.json").read_text())
    facts = {key: value for key, value in facts.items() if key not in ("onnx", "onnx_sha256")}
    facts |= {"format": 1, "digest": old.digest, "weights_sha256": hashlib.sha256(weights).hexdigest()}
    (folder / "bundle.json").write_text(json.dumps(facts))
    return old
