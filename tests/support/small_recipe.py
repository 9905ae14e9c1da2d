"""A model that trains in seconds, for tests of the way from data to bundle. Its colors are poor."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SETTINGS: dict[str, Any] = {  # changes of the recipe unet-lab
    "data.size": 32,
    "data.crop": 32,
    "data.inference_side": 32,
    "data.min_scale": 1,
    "data.flip": False,
    "model.settings.widths": [8, 16, 16],
    "model.settings.convolutions": [1, 1, 1],
    "model.multiple": 8,
}


def as_arguments(settings: Mapping[str, Any]) -> list[str]:
    """Returns settings as arguments of ``colorize train``."""
    return [f"--set={name}={value}" for name, value in settings.items()]


def read_history(bundle: Path) -> list[dict[str, float]]:
    """Returns the rows of a bundle's history.csv, nan for an empty cell."""
    with open(bundle / "history.csv", newline="") as file:
        return [{name: float(value or "nan") for name, value in row.items()} for row in csv.DictReader(file)]
