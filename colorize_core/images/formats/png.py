"""PNG: 8 or 16 bits, with transparency; pixels packed by ``images.png``, metadata written by Pillow."""

from __future__ import annotations

import io
from typing import IO, Any

from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from colorize_core.images import png
from colorize_core.images.formats.image_format import ImageFormat, Option, pillow_arguments
from colorize_core.images.lazy_image import LazyImage
from colorize_core.images.metadata import Metadata, iptc


def write(file: IO[bytes], pixels: LazyImage | NDArray[Any], metadata: Metadata, *, png_level: int) -> None:
    """Writes uint8 or uint16 [H, W, 3 or 4] to a PNG file."""
    png.write(file, pixels, png_level, _file_with(metadata))


def _file_with(metadata: Metadata) -> bytes:
    """Returns a PNG file of one pixel with the metadata. Its chunks are copied: Pillow cannot write 16-bit pixels."""
    texts = PngImagePlugin.PngInfo()
    if metadata.xmp:
        texts.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode())
    if metadata.iptc:
        texts.add_text(*iptc.png_text(metadata.iptc), zip=True)
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG", pnginfo=texts, **pillow_arguments(metadata))
    return file.getvalue()


PNG = ImageFormat(
    name="png",
    suffixes=(".png",),
    write=write,
    # 6 takes twelve times as long as 1, and saves 7 % of the bytes of a photograph.
    options=(Option("png_level", 1, range(10), "Deflate level: 9 packs best, 1 is fastest."),),
    holds_16_bits=True,
    writes_in_bands=True,
)
