"""Pixels to bytes of an image file."""

from __future__ import annotations

import io
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from colorize_core.errors import ImageError
from colorize_core.images.metadata import Metadata

FileFormat = Literal["png", "jpeg", "webp"]
FILE_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
SUFFIXES: dict[FileFormat, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
_LONGEST_SIDE: dict[FileFormat, int] = {"png": 2**31 - 1, "jpeg": 65_500, "webp": 16_383}  # limits of the formats
_JPEG_EXIF_BYTES = 65_533  # one marker; a TIFF file's tags can be longer, and the photograph goes without them
_JPEG_QUALITY = 92
_WEBP_QUALITY = 92
_PNG_LEVEL = 1  # level 6 takes four times as long and saves a tenth


def png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG of uint8 [H, W] or [H, W, 3]."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def encode(
    image: Image.Image,
    file_format: FileFormat,
    *,
    alpha: NDArray[np.uint8] | None = None,
    metadata: Metadata | None = None,
    xmp: bytes = b"",
) -> bytes:
    """A file of an RGB image with its metadata.

    JPEG has no transparency: there the image is laid on white.

    Raises:
        ImageError: the format cannot hold an image of this size.
    """
    if max(image.size) > _LONGEST_SIDE[file_format]:
        raise ImageError(
            "unsupported", f"{file_format} holds at most {_LONGEST_SIDE[file_format]} pixels a side: use --format png"
        )
    metadata = metadata or Metadata()
    options: dict[str, Any] = {}
    if metadata.exif and not (file_format == "jpeg" and len(metadata.exif) > _JPEG_EXIF_BYTES):
        options["exif"] = metadata.exif
    if metadata.dpi and file_format != "webp":  # WebP has no field for it; EXIF carries it there
        options["dpi"] = metadata.dpi
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    if alpha is not None:
        mask = Image.fromarray(alpha)
        if file_format == "jpeg":
            image = Image.composite(image, Image.new("RGB", image.size, "white"), mask)
        else:
            image.putalpha(mask)
    if file_format == "png":
        info = PngImagePlugin.PngInfo()
        if xmp:
            info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        options |= {"compress_level": _PNG_LEVEL, "pnginfo": info}
    elif file_format == "jpeg":
        # 4:4:4: halving the chroma again would blur what was just made.
        options |= {"quality": _JPEG_QUALITY, "subsampling": 0, "xmp": xmp}
    else:
        options |= {"quality": _WEBP_QUALITY, "method": 2, "xmp": xmp}
    buffer = io.BytesIO()
    image.save(buffer, file_format.upper(), **options)
    return buffer.getvalue()
