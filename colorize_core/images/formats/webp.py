"""WebP: 8 bits, with transparency, written by Pillow."""

from __future__ import annotations

from typing import IO, Any

from numpy.typing import NDArray
from PIL import Image

from colorize_core.images.formats.image_format import QUALITY, ImageFormat, pillow_arguments
from colorize_core.images.lazy_image import LazyImage, to_array
from colorize_core.images.metadata import Metadata

_METHOD = 2  # effort of the encoder, 0 (fast) to 6 (small)


def write(file: IO[bytes], pixels: LazyImage | NDArray[Any], metadata: Metadata, *, quality: int) -> None:
    """Writes uint8 [H, W, 3 or 4] to a WebP file."""
    image = Image.fromarray(to_array(pixels))
    arguments = pillow_arguments(metadata)
    image.save(file, "WEBP", quality=quality, method=_METHOD, xmp=metadata.xmp or b"", **arguments)


WEBP = ImageFormat(name="webp", suffixes=(".webp",), write=write, options=(QUALITY,), longest_side=16_383)
