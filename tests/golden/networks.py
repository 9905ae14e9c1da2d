"""Writes ``networks.npz``: what the shipped bundles predict for two images of lightness.

    python -m tests.golden.networks

Run it only when a shipped bundle is replaced. The arrays are those of the Keras models: for each bundle ``colors`` and
``logits`` (every fourth row and column) of both heads, and ``odds``, the five channels that inference uses.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage import data

from colorize_core import bundle, color
from colorize_core.images import resizing
from colorize_core.recipes.network import build_model

PATH = Path(__file__).with_name("networks.npz")
BUNDLES = ("default", "fast")
STEP = 4  # rows and columns between two logits that are kept


def lightness() -> NDArray[np.float32]:
    """Returns two inputs of the networks, float32 [2, 64, 96, 1]: photographs of a cat and of a cup."""
    grays = [
        resizing.resize(image.mean(axis=-1).astype(np.uint8), (96, 64)) for image in (data.chelsea(), data.coffee())
    ]
    inputs: NDArray[np.float32] = (color.lightness(np.stack(grays)) / 50 - 1)[..., None].astype(np.float32)
    return inputs


def predictions(name: str) -> dict[str, NDArray[np.float32]]:
    """Returns what the Keras model of a bundle predicts, by the names of the arrays."""
    import keras

    loaded = bundle.load_bundle(name)
    model = build_model(loaded.recipe)
    loaded.fill(model)
    heads = keras.Model(
        model.input, [*(model.get_layer(layer).output for layer in ("colors", "logits")), model.outputs[0]]
    )
    colors, logits, odds = (np.asarray(each) for each in heads(lightness(), training=False))
    return {f"{name}/colors": colors, f"{name}/logits": logits[:, ::STEP, ::STEP], f"{name}/odds": odds}


def main() -> None:
    """Writes the arrays as float16."""
    arrays = {key: value for name in BUNDLES for key, value in predictions(name).items()}
    np.savez_compressed(PATH, **{key: value.astype(np.float16) for key, value in arrays.items()})


if __name__ == "__main__":
    main()
