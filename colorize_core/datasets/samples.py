"""Makes gray sample photographs, to try the jobs on, from color photographs that come with scikit-image."""

from __future__ import annotations

import numpy as np

from colorize_core import color, storage
from colorize_core.images import png

# Images in scikit-image's wheel, free to use (skimage/data/README.txt). "camera" is gray in the original.
_NAMES = ("astronaut", "chelsea", "coffee", "rocket", "camera")


def write_gray_samples(folder: str) -> dict[str, bytes]:
    """Writes gray photographs ``<name>.png`` into a folder.

    A file that exists is left unchanged, so that a second run of a job finds nothing new.

    Returns:
        The color originals as PNG files, by file name.

    Raises:
        OSError: a file cannot be written.
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
