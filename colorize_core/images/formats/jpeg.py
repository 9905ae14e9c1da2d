"""JPEG: 8 bits, no transparency, written by Pillow."""

from __future__ import annotations

from typing import IO, Any

from numpy.typing import NDArray
from PIL import Image

from colorize_core.images.formats.image_format import QUALITY, ImageFormat, pillow_arguments
from colorize_core.images.lazy_image import LazyImage, to_array
from colorize_core.images.metadata import Metadata, iptc

_SEGMENT_BYTES = 65_533  # the tags of a TIFF file can be longer; the photograph is then written without them


def write(file: IO[bytes], pixels: LazyImage | NDArray[Any], metadata: Metadata, *, quality: int) -> None:
    """Writes uint8 [H, W, 3 or 4] to a JPEG file; an image with alpha is laid on white."""
    image = Image.fromarray(to_array(pixels))
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        image = Image.composite(image.convert("RGB"), white, image.getchannel("A"))
    arguments = pillow_arguments(metadata)
    if len(arguments.get("exif", b"")) > _SEGMENT_BYTES:
        del arguments["exif"]
    if metadata.iptc:
        arguments["extra"] = iptc.jpeg_segment(metadata.iptc)
    # 4:4:4, since half the chroma resolution would blur the predicted colors again.
    image.save(file, "JPEG", quality=quality, subsampling=0, xmp=metadata.xmp or b"", **arguments)


JPEG = ImageFormat(
    name="jpeg",
    suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"),
    write=write,
    options=(QUALITY,),
    longest_side=65_500,
    largest_xmp=65_502,  # the limit of a segment
)
