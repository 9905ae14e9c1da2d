"""The photograph's own lightness at full resolution, joined with the predicted chroma, as an image file."""

from __future__ import annotations

from dataclasses import dataclass

import cv2

from colorize_core.color import Floats
from colorize_core.images import decode, encode
from colorize_core.inference import merge


@dataclass(frozen=True)
class Encoded:
    """A finished image file and its size in pixels."""

    content: bytes
    width: int
    height: int


def colorize_file(content: bytes, ab: Floats, file_format: encode.FileFormat, provenance: bytes) -> Encoded:
    """Decodes a photograph, joins it with ab [h, w, 2] and encodes it; alpha and metadata are kept.

    Raises:
        ImageError: the pixels are damaged, or the format cannot hold them.
    """
    cv2.setNumThreads(1)  # a task has one CPU; the others belong to its neighbors
    photograph = decode.read_photograph(content)
    width, height = photograph.size
    image = merge(photograph.pixels, ab)
    return Encoded(
        encode.encode(image, file_format, alpha=photograph.alpha, metadata=photograph.metadata, xmp=provenance),
        width,
        height,
    )
