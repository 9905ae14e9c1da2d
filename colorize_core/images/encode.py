"""Pixels to an image file."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from colorize_core.errors import ImageError, one_line
from colorize_core.images import png
from colorize_core.images.formats import tiff_file
from colorize_core.images.formats.tiff_file import Compression
from colorize_core.images.lazy_image import LazyImage, whole
from colorize_core.images.metadata import Metadata, iptc
from colorize_core.storage import SpilledFile

Content = bytes | SpilledFile  # of a file
FileFormat = Literal["png", "jpeg", "webp", "tiff"]
FILE_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
SUFFIXES: dict[FileFormat, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
FORMATS_WITH: dict[str, tuple[FileFormat, ...]] = {  # by the options of an encoding
    "quality": ("jpeg", "webp"),
    "png_level": ("png",),
    "tiff_compression": ("tiff",),
}
_DEEP: tuple[FileFormat, ...] = ("png", "tiff")  # those that hold 16 bits a channel
_LONGEST_SIDE = {"jpeg": 65_500, "webp": 16_383}  # limits of the formats; PNG and TIFF have none that matters
_JPEG_SEGMENT_BYTES = 65_533  # a TIFF file's tags can be longer, and the photograph goes without them
_XMP_BYTES = 65_502  # of a JPEG file's segment
_IN_MEMORY = 1 << 25  # pixels: results of more are on the disk until they are written


@dataclass(frozen=True)
class Encoding:
    """How results are written.

    Attributes:
        file_format: of the file.
        quality: of JPEG and WebP, 1 to 100.
        png_level: of deflate, 0 to 9: 6 takes four times as long as 1 and saves a tenth.
        tiff_compression: ``lzw``, ``deflate`` or ``none``.
    """

    file_format: FileFormat = "png"
    quality: int = 92
    png_level: int = 1
    tiff_compression: Compression = "lzw"

    def __str__(self) -> str:
        """What of it decides how a result looks or is packed, where it is not as usual: ' quality=80'."""
        mine = [name for name, formats in FORMATS_WITH.items() if self.file_format in formats]
        return "".join(f" {name}={value}" for name in mine if (value := getattr(self, name)) != getattr(Encoding, name))

    def holds(self, xmp: bytes) -> bool:
        """Whether there is room for such an XMP packet."""
        return self.file_format != "jpeg" or len(xmp) <= _XMP_BYTES

    def dtype(self, depth: int) -> type[np.uint8 | np.uint16]:
        """Of the pixels of a photograph that has ``depth`` bits a channel."""
        return np.uint16 if depth == 16 and self.file_format in _DEEP else np.uint8


@dataclass(frozen=True)
class Encoded:
    """A finished image file and its size in pixels."""

    content: Content
    width: int
    height: int


def encode(
    pixels: LazyImage | NDArray[Any],
    how: Encoding,
    *,
    alpha: NDArray[np.uint8] | None = None,
    metadata: Metadata | None = None,
    xmp: bytes = b"",
) -> Content:
    """An image file with its metadata: in memory, or on the disk where it is large and written in bands.

    JPEG has no transparency: there the image is laid on white.

    Args:
        pixels: [H, W, 3] of ``how.dtype``, in the space of the profile of ``metadata``, or in sRGB; PNG and TIFF take
            them in bands.
        how: to write it.
        alpha: uint8 [H, W].
        metadata: what the file is to carry, but for the XMP packet, which is
        xmp: this.

    Raises:
        ImageError: the format cannot hold an image of this size.
    """
    longest = _LONGEST_SIDE.get(how.file_format)
    if longest and max(pixels.shape) > longest:
        raise ImageError("unsupported", f"{how.file_format} holds at most {longest} pixels a side: use --format png")
    metadata = metadata or Metadata()
    if how.file_format == "tiff":
        write = partial(tiff_file.write, compression=how.tiff_compression, metadata=metadata, xmp=xmp)
        return _written(write, _with_alpha(pixels, alpha))
    if how.file_format == "png":
        # Pillow needs a copy of the pixels and cannot write 16 bits: from it comes only what is said beside them.
        described = io.BytesIO()
        Image.new("RGB", (1, 1)).save(described, "PNG", **_options(how, metadata, xmp))
        beside = described.getvalue()
        if _is_large(pixels):
            return _written(partial(png.write, level=how.png_level, described=beside), _with_alpha(pixels, alpha))
        return png.encode(_with_alpha(pixels, alpha), how.png_level, beside)
    image = Image.fromarray(whole(pixels))
    if alpha is not None:
        mask = Image.fromarray(alpha)
        if how.file_format == "webp":
            image.putalpha(mask)
        else:
            image = Image.composite(image, Image.new("RGB", image.size, "white"), mask)
    buffer = io.BytesIO()
    image.save(buffer, how.file_format.upper(), **_options(how, metadata, xmp))
    return buffer.getvalue()


def _is_large(pixels: LazyImage | NDArray[Any]) -> bool:
    height, width = pixels.shape[:2]
    return bool(height * width > _IN_MEMORY)


def _written(write: Callable[[IO[bytes], LazyImage | NDArray[Any]], None], pixels: LazyImage | NDArray[Any]) -> Content:
    if _is_large(pixels):
        held = SpilledFile()
        try:
            write(held.file, pixels)
        except OSError as error:
            raise ImageError("storage", f"the disk of this machine cannot hold it: {one_line(error)}") from error
        return held
    buffer = io.BytesIO()
    write(buffer, pixels)
    return buffer.getvalue()


def _options(how: Encoding, metadata: Metadata, xmp: bytes) -> dict[str, Any]:
    """Of Pillow's ``save``."""
    options: dict[str, Any] = {}
    exif = metadata.exif.block() if metadata.exif else b""
    if exif and not (how.file_format == "jpeg" and len(exif) > _JPEG_SEGMENT_BYTES):
        options["exif"] = exif
    if metadata.dpi and how.file_format != "webp":  # WebP has no field for it; EXIF carries it there
        options["dpi"] = metadata.dpi
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    if how.file_format == "png":
        info = PngImagePlugin.PngInfo()
        if xmp:
            info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        if metadata.iptc:
            info.add_text(*iptc.png_text(metadata.iptc), zip=True)
        return options | {"compress_level": how.png_level, "pnginfo": info}
    if how.file_format == "webp":
        return options | {"quality": how.quality, "method": 2, "xmp": xmp}
    if metadata.iptc:
        options["extra"] = iptc.jpeg_segment(metadata.iptc)
    # 4:4:4: halving the chroma again would blur what was just made.
    return options | {"quality": how.quality, "subsampling": 0, "xmp": xmp}


def _with_alpha(pixels: LazyImage | NDArray[Any], alpha: NDArray[np.uint8] | None) -> LazyImage | NDArray[Any]:
    if alpha is None:
        return pixels
    dtype: type[np.uint8 | np.uint16] = np.uint16 if pixels.dtype == np.uint16 else np.uint8

    def compute(top: int, bottom: int) -> NDArray[Any]:
        mask = alpha[top:bottom]
        return np.dstack([pixels[top:bottom], mask.astype(np.uint16) * 257 if dtype == np.uint16 else mask])

    return LazyImage((*alpha.shape, 4), dtype, compute)
