"""Real photographs that come with an installed package, with their colors removed: something to try the jobs on."""

from __future__ import annotations

import numpy as np

from colorize_core import color, storage
from colorize_core.images import png

# scikit-image's, all in its wheel, free to use (skimage/data/README.txt). The camera man never had colors.
_NAMES = ("astronaut", "chelsea", "coffee", "rocket", "camera")


def write_gray_samples(folder: str) -> dict[str, bytes]:
    """Writes gray photographs ``<name>.png`` into a folder; gives the true colors by file name, as PNG files.

    A file that is there already is left alone, so that a second run finds it unchanged. Raises OSError.
    """
    from skimage import data

    truths = {}
    for name in _NAMES:
        file_name, pixels = f"{name}.png", getattr(data, name)()
        gray = pixels if pixels.ndim == 2 else np.rint(255 * color.gray(pixels, "luminance")).astype(np.uint8)
        path = storage.join(folder, file_name)
        if not storage.exists(path):
            storage.write(path, png.encode(gray))
        if pixels.ndim == 3:
            truths[file_name] = png.encode(pixels)
    return truths
