"""The transforms inside the pipeline: what a worker is given is what the functions say of each photograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from colorize_core import datasets
from colorize_core.color import ColorSpace, GrayFormula
from colorize_core.datasets.splits import SplitRule
from colorize_core.images import decode
from colorize_core.images.resizing import to_square
from colorize_core.preprocessing import pairs
from colorize_core.training import pair_rows


@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize(
    ("color_space", "gray"), [("lab", "luminance"), ("lab", "lightness"), ("rgb", "average"), ("rgb", "luminance")]
)
def test_pairs_of_a_folder(color_dir: Path, color_space: ColorSpace, gray: GrayFormula) -> None:
    rows = datasets.read(f"folder:{color_dir}", SplitRule(wanted=["test", "val"]))
    settings = {"size": 48, "gray": gray, "color_space": color_space}
    made = rows.map_batches(pair_rows.pair_columns, batch_size=5, fn_kwargs=settings).take_all()
    good = [row for row in made if not row["reason"]]
    assert len(good) >= 8
    for row in good:
        rgb = to_square(decode.read_rgb((color_dir / row["id"]).read_bytes()), 48, "center")
        inputs, targets = pairs.to_pair(rgb, gray, color_space)
        np.testing.assert_allclose(row["input"], inputs, atol=1e-3)
        np.testing.assert_allclose(row["target"], targets, atol=1e-3)
        if color_space == "rgb" or gray == "lightness":  # other grays have another lightness than the color
            back = pairs.from_pair(row["input"], row["target"], color_space).astype(int)
            assert np.abs(back - rgb).max() <= 1
