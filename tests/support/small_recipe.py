"""A model so small that a training takes seconds: what is tested is the way from data to bundle, not the colors."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SETTINGS: dict[str, Any] = {  # of unet-lab
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
    """Settings as ``colorize train`` takes them."""
    return [f"--set={name}={value}" for name, value in settings.items()]


def read_history(bundle: Path) -> list[dict[str, float]]:
    """The rows of a bundle's history.csv."""
    with open(bundle / "history.csv", newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
