"""A minimal recipe, changed and written as a YAML file."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

MINIMAL: dict[str, Any] = {
    "name": "mine",
    "data": {"size": 40, "crop": 32, "inference_side": 64},
    "model": {"name": "unet", "multiple": 16},
    "training": {"epochs": 3, "batch_size": 8, "learning_rate": 0.001},
}


def written(folder: Path, raw: Any) -> str:
    """Writes a recipe, or text, into the folder, and returns the path of the file."""
    path = folder / "mine.yaml"
    path.write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw))
    return str(path)


def minimal_with(dotted: str, value: Any) -> dict[str, Any]:
    """Returns ``MINIMAL`` with another value of one setting, by its dotted name."""
    raw = copy.deepcopy(MINIMAL)
    *sections, key = dotted.split(".")
    inner = raw
    for section in sections:
        inner = inner[section]
    inner[key] = value
    return raw
