"""Inputs for the encoder, and a reader of what it wrote."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from colorize_core.images.formats import FORMATS, names_with

_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# The profile without the time at which it was made, so that each run damages the same bytes.
ICC = _PROFILE[:24] + bytes(12) + _PROFILE[36:]
WRITTEN = tuple(FORMATS)
LOSSY = names_with("quality")
WITHOUT_IPTC = {"webp"}  # formats without a place for IPTC
WITHOUT_RESOLUTION = {"webp"}  # formats without a field for the resolution: EXIF carries it
COMPRESSIONS = ("lzw", "deflate", "none")
RED: NDArray[np.uint8] = np.full((7, 9, 3), (255, 0, 0), np.uint8)


def open_encoded(content: bytes) -> Image.Image:
    """Returns an image file as Pillow decodes it."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def exif_block() -> bytes:
    """Returns an EXIF block with a title and a date."""
    exif = Image.Exif()
    exif[0x010E] = "Main Street, 1931"
    exif.get_ifd(0x8769)[0x9003] = "1931:05:04 10:00:00"
    return exif.tobytes()
