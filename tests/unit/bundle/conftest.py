"""Fixtures: a copy of the default bundle, and bundles of any files with digests that fit them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core import bundle
from colorize_core.recipes import Recipe
from tests.unit.bundle.forgery import facts_of_default, good_onnx, good_weights


@pytest.fixture
def forge(tmp_path: Path) -> Callable[..., Path]:
    """Writes a bundle of given files with digests that fit them; with ``keras`` weights, one of format 1."""

    def write(
        name: str = "bundle", weights: bytes | None = None, network: bytes | None = None, keras: bytes | None = None
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        weights = keras or (good_weights() if weights is None else weights)
        network = good_onnx().SerializeToString() if network is None else network
        facts = facts_of_default()
        original = bundle.Bundle(Recipe.model_validate(facts["recipe"]), weights, {}, {}, {}, {})
        facts |= {
            "digest": original.digest,
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }
        if keras:
            facts = {name: value for name, value in facts.items() if not name.startswith("onnx")} | {"format": 1}
            (folder / "model.keras").write_bytes(weights)
        else:
            facts["onnx_sha256"] = hashlib.sha256(network).hexdigest()
            (folder / "weights.safetensors").write_bytes(weights)
            (folder / "model.onnx").write_bytes(network)
        (folder / "bundle.json").write_text(json.dumps(facts))
        return folder

    return write


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Returns the folder of a copy of the default bundle."""
    return Path(shutil.copytree(bundle.place("default"), tmp_path / "bundle"))
