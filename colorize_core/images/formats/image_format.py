"""The records that describe one image format, and the options that a format can have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from colorize_core.images.metadata import Metadata


@dataclass(frozen=True)
class Option:
    """A setting of an image format. The command line has an option of the same name.

    Attributes:
        name: Python identifier, the keyword argument of ``ImageFormat.write``.
        default: the value if none is given.
        allowed: a range of whole numbers, or all values.
        help: what the option does, for the help page of a command, which adds the formats and the default.
    """

    name: str
    default: int | str
    allowed: range | tuple[str, ...]
    help: str

    @property
    def choices(self) -> str:
        """The allowed values in words: ``from 1 to 100`` or ``one of lzw, deflate, none``."""
        if isinstance(self.allowed, range):
            return f"from {self.allowed[0]} to {self.allowed[-1]}"
        return f"one of {', '.join(self.allowed)}"


@dataclass(frozen=True)
class ReadableFormat:
    """An image format that is read.

    Attributes:
        name: Pillow's name of the format, in lower case.
        suffixes: suffixes of file names, in lower case.
    """

    name: str
    suffixes: tuple[str, ...]

    @property
    def pillow_name(self) -> str:
        """Pillow's name of the format, such as ``JPEG``."""
        return self.name.upper()


@dataclass(frozen=True)
class ImageFormat(ReadableFormat):
    """An image format that is read and written: its limits, its options, and the function that writes it.

    Attributes:
        name: the value of ``--format``, and Pillow's name of the format, in lower case.
        suffixes: suffixes of file names, in lower case; results have the first.
        write: called as ``write(file, pixels, metadata, **options)`` with an empty binary file; uint8 [H, W, 3 or 4],
            also uint16 if ``holds_16_bits``, as an array or a ``LazyImage``; the metadata of the file, XMP included;
            and a value for each of ``options``.
        options: the settings of the format.
        holds_16_bits: channels can have 16 bits; else they have 8.
        writes_in_bands: ``write`` asks for a few rows at a time, so that a large image is never in memory as a whole.
        longest_side: limit of the format in pixels; None if no image of this library reaches it.
        largest_xmp: most bytes of an XMP packet; None if there is no limit that matters.
    """

    write: Callable[..., None]
    options: tuple[Option, ...] = ()
    holds_16_bits: bool = False
    writes_in_bands: bool = False
    longest_side: int | None = None
    largest_xmp: int | None = None

    @property
    def suffix(self) -> str:
        """The suffix of the files that are written, such as ``.jpg``."""
        return self.suffixes[0]


QUALITY = Option("quality", 92, range(1, 101), "Quality of the pixels: 100 loses least.")  # of formats with loss


def pillow_arguments(metadata: Metadata) -> dict[str, Any]:
    """Returns the arguments of Pillow's ``Image.save`` that JPEG, PNG and WebP share: EXIF, resolution, ICC profile."""
    arguments: dict[str, Any] = {}
    if metadata.exif and (block := metadata.exif.block()):
        arguments["exif"] = block
    if metadata.dpi:  # ignored for WebP, which has no field for it: there EXIF carries the resolution
        arguments["dpi"] = metadata.dpi
    if metadata.icc:
        arguments["icc_profile"] = metadata.icc
    return arguments
