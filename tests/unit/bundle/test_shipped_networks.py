"""The shipped bundles predict what they predicted when they were made, in both engines."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from colorize_core import load_bundle
from colorize_core.networks import open_network
from tests.golden import networks

ROUNDING = 2.0**-10  # of float16, relative
NOISE = 5e-4  # of the order in which floats are added, which differs between processors


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.float32]]:
    with np.load(networks.PATH) as file:
        return {name: file[name].astype(np.float32) for name in file.files}


@pytest.mark.parametrize("name", networks.BUNDLES)
def test_both_heads_of_a_shipped_network(name: str, golden: dict[str, NDArray[np.float32]]) -> None:
    for key, values in networks.predictions(name).items():
        assert values.std() > 0.01
        np.testing.assert_allclose(values, golden[key], rtol=ROUNDING, atol=10 * NOISE if "logits" in key else NOISE)


@pytest.mark.parametrize("engine", ["onnx", "keras"])
@pytest.mark.parametrize("name", networks.BUNDLES)
def test_what_inference_uses(name: str, engine: str, golden: dict[str, NDArray[np.float32]]) -> None:
    network = open_network(load_bundle(name), engine)
    outputs = network(networks.lightness())
    np.testing.assert_allclose(outputs, golden[f"{name}/odds"], rtol=ROUNDING, atol=NOISE)
