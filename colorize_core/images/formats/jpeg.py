"""JPEG: 8 bits, no transparency; pixels packed by libjpeg-turbo, metadata written by Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_core.images.formats.image_format import QUALITY, ImageFormat, pillow_arguments
from colorize_core.images.lazy_image import LazyImage, to_array
from colorize_core.images.metadata import Metadata, iptc

_SEGMENT_BYTES = 65_533  # the tags of a TIFF file can be longer; the photograph is then written without them
_START, _JFIF = b"\xff\xd8", 0xE0  # the first marker; kind of the segment after it
_METADATA = range(_JFIF, 0xF0)  # kinds of segments, APP0 to APP15


def write(file: IO[bytes], pixels: LazyImage | NDArray[Any], metadata: Metadata, *, quality: int) -> None:
    """Writes uint8 [H, W, 3 or 4] to a JPEG file; an image with alpha is laid on white."""
    image = to_array(pixels)
    if image.shape[2] == 4:
        image = _on_white(image)
    # 4:4:4, since half the chroma resolution would blur the predicted colors again.
    encoded = bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(image), level=quality, subsampling="444"))
    copied = [segment for kind, segment in _segments(_file_with(metadata)) if kind in _METADATA]
    _, own_jfif = next(_segments(encoded))
    file.writelines([_START, *copied, memoryview(encoded)[len(_START) + len(own_jfif) :]])


def _on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    white = Image.new("RGB", image.size, "white")
    return np.asarray(Image.composite(image.convert("RGB"), white, image.getchannel("A")))


def _file_with(metadata: Metadata) -> bytes:
    """Returns a JPEG file of one pixel with the metadata. Its segments are copied: Pillow encodes pixels slower."""
    arguments = pillow_arguments(metadata)
    if len(arguments.get("exif", b"")) > _SEGMENT_BYTES:
        del arguments["exif"]
    if metadata.iptc:
        arguments["extra"] = iptc.jpeg_segment(metadata.iptc)
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "JPEG", xmp=metadata.xmp or b"", **arguments)
    return file.getvalue()


def _segments(file: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yields kind and bytes of each segment of a JPEG file, marker included, up to the pixels."""
    view, start = memoryview(file), len(_START)
    while (kind := view[start + 1]) != 0xDA:
        end = start + 2 + int.from_bytes(view[start + 2 : start + 4], "big")
        yield kind, view[start:end]
        start = end


JPEG = ImageFormat(
    name="jpeg",
    suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"),
    write=write,
    options=(QUALITY,),
    longest_side=65_500,
    largest_xmp=65_502,  # the limit of a segment
)
