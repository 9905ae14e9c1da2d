"""Pairs with pixel values that tell where each pixel came from."""

from __future__ import annotations

import numpy as np

from colorize_core.color import Floats


def numbered(count: int, size: int) -> tuple[Floats, Floats]:
    """Returns inputs with a different value for each row and column, and targets: the inputs plus one and plus two."""
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    image = (rows * 64 + columns)[..., None]
    inputs = np.stack([image + 100 * i for i in range(count)])
    return inputs, np.concatenate([inputs + 1, inputs + 2], axis=-1)
