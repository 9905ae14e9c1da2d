"""Writes ``color.json``: sRGB colors, and their Lab and gray values from scikit-image.

    python -m tests.golden.regenerate

Run it only to add colors, or when scikit-image changes its results. The file names the version that wrote it.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import skimage
from skimage import color

PATH = Path(__file__).with_name("color.json")


def main() -> None:
    """Writes corners, edges and middles of the RGB cube, a gray ramp, and random colors."""
    rng = np.random.default_rng(0)
    corners = itertools.product((0, 1, 128, 254, 255), repeat=3)
    grays = ((v, v, v) for v in range(0, 256, 17))
    colors = sorted({*corners, *grays, *map(tuple, rng.integers(0, 256, (60, 3)).tolist())})
    rgb = np.array(colors, np.uint8)
    linear = color.rgb2xyz(rgb[None])[0, :, 1]  # Y, the linear light of the gray value
    encoded = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    golden = {
        "made_by": f"scikit-image {skimage.__version__}, python -m tests.golden.regenerate",
        "rgb": rgb.tolist(),
        "lab": color.rgb2lab(rgb[None])[0].round(4).tolist(),
        "linear_light_gray": encoded.round(6).tolist(),
    }
    PATH.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
