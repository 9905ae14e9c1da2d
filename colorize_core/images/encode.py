"""Encodes pixels as an image file with metadata."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core.errors import ImageError, UserError, one_line
from colorize_core.images.formats import FORMATS, OPTIONS
from colorize_core.images.formats.image_format import ImageFormat
from colorize_core.images.lazy_image import LazyImage, is_large
from colorize_core.images.metadata import Metadata
from colorize_core.storage import SpilledFile

Content = bytes | SpilledFile  # content of a file


@dataclass(frozen=True, init=False)
class Encoding:
    """An image format and the values of its options.

    Args:
        file_format: a key of ``FORMATS``.
        options: values by name, a key of ``OPTIONS``, which says what is allowed. Options of other formats are checked
            and ignored.

    Raises:
        UserError: the format, an option or its value is unknown.

    Example:
        >>> str(Encoding("jpeg", quality=80))
        ' quality=80'
    """

    file_format: str
    options: dict[str, int | str] = field(hash=False)

    def __init__(self, file_format: str = "png", **options: int | str) -> None:
        if file_format not in FORMATS:
            raise UserError(f"file_format is {file_format!r}, must be one of {', '.join(FORMATS)}")
        for name, value in options.items():
            if name not in OPTIONS:
                raise UserError(f"{name!r} is not an option of an image format, must be one of {', '.join(OPTIONS)}")
            if value not in OPTIONS[name].allowed:
                raise UserError(f"{name} is {value!r}, must be {OPTIONS[name].choices}")
        own = {option.name: options.get(option.name, option.default) for option in FORMATS[file_format].options}
        object.__setattr__(self, "file_format", file_format)
        object.__setattr__(self, "options", own)

    def __str__(self) -> str:
        """Returns the options that differ from their defaults, as the ledger has them: `` quality=80``."""
        return "".join(f" {name}={value}" for name, value in self.options.items() if value != OPTIONS[name].default)

    @property
    def format(self) -> ImageFormat:
        """The image format: its entry in ``FORMATS``."""
        return FORMATS[self.file_format]

    def holds(self, xmp: bytes) -> bool:
        """Returns True if the XMP packet fits into the format's segment (65,502 bytes in JPEG)."""
        return self.format.largest_xmp is None or len(xmp) <= self.format.largest_xmp

    def dtype(self, depth: int) -> type[np.uint8 | np.uint16]:
        """Returns the NumPy dtype of the pixels to encode, for a photograph of ``depth`` bits per channel (8 or 16)."""
        return np.uint16 if depth == 16 and self.format.holds_16_bits else np.uint8


@dataclass(frozen=True)
class Encoded:
    """A finished image file and its size in pixels."""

    content: Content
    width: int
    height: int


def encode(
    pixels: LazyImage | NDArray[Any],
    encoding: Encoding,
    *,
    alpha: NDArray[np.uint8] | None = None,
    metadata: Metadata | None = None,
    xmp: bytes = b"",
) -> Content:
    """Returns an image file: bytes, or a file on the disk if the image is large and its format is written in bands.

    JPEG has no transparency, so a JPEG file shows the image on white.

    Args:
        pixels: [H, W, 3] of ``encoding.dtype``, in the color space of ``metadata.icc``, else in sRGB.
        encoding: the format and its options.
        alpha: uint8 [H, W].
        metadata: EXIF, resolution, ICC profile and IPTC of the file.
        xmp: the XMP packet of the file, which replaces ``metadata.xmp``.

    Raises:
        ImageError: the format cannot hold an image of this size, or the disk is full.

    Example:
        >>> encode(np.zeros((2, 3, 3), np.uint8), Encoding("png"))[1:4]
        b'PNG'
    """
    longest = encoding.format.longest_side
    if longest and max(pixels.shape) > longest:
        larger = next(name for name, each in FORMATS.items() if each.longest_side is None)
        raise ImageError(
            "unsupported", f"{encoding.file_format} holds at most {longest} pixels a side: use --format {larger}"
        )
    write = partial(
        encoding.format.write,
        pixels=_with_alpha(pixels, alpha),
        metadata=replace(metadata or Metadata(), xmp=xmp or None),
        **encoding.options,
    )
    if encoding.format.writes_in_bands and is_large(pixels):
        spilled = SpilledFile()
        try:
            write(spilled.file)
        except OSError as error:
            raise ImageError("storage", f"the disk of this machine cannot hold it: {one_line(error)}") from error
        return spilled
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _with_alpha(pixels: LazyImage | NDArray[Any], alpha: NDArray[np.uint8] | None) -> LazyImage | NDArray[Any]:
    """Returns [H, W, 4] of pixels [H, W, 3] and alpha, or the pixels if there is no alpha."""
    if alpha is None:
        return pixels
    dtype: type[np.uint8 | np.uint16] = np.uint16 if pixels.dtype == np.uint16 else np.uint8

    def compute(top: int, bottom: int) -> NDArray[Any]:
        mask = alpha[top:bottom]
        return np.dstack([pixels[top:bottom], mask.astype(np.uint16) * 257 if dtype == np.uint16 else mask])

    return LazyImage((*alpha.shape, 4), dtype, compute)
