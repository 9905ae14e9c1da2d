"""The registry of image formats: those that are written, with a module for each, and those that are only read.

To add a format that is written, write a module with its ``ImageFormat`` in this folder, and add an entry to
``FORMATS``. The command line then has the options of the format. To read another format that Pillow knows, add its
``ReadableFormat`` to ``read_only.READ_ONLY``.
"""

from __future__ import annotations

from colorize_core.images.formats.image_format import ImageFormat, Option, ReadableFormat
from colorize_core.images.formats.jpeg import JPEG
from colorize_core.images.formats.png import PNG
from colorize_core.images.formats.read_only import READ_ONLY
from colorize_core.images.formats.tiff import TIFF
from colorize_core.images.formats.webp import WEBP

FORMATS: dict[str, ImageFormat] = {each.name: each for each in (PNG, JPEG, WEBP, TIFF)}  # those that are written
BY_SUFFIX: dict[str, ImageFormat] = {suffix: each for each in FORMATS.values() for suffix in each.suffixes}
READABLE: tuple[ReadableFormat, ...] = (*FORMATS.values(), *READ_ONLY)
READABLE_SUFFIXES = frozenset(suffix for each in READABLE for suffix in each.suffixes)

_options = [option for each in FORMATS.values() for option in each.options]
OPTIONS: dict[str, Option] = {  # options by name; those that several formats share come first
    option.name: option for option in sorted(_options, key=_options.count, reverse=True)
}


def names_with(option: str) -> tuple[str, ...]:
    """Returns the names of the formats that have an option.

    Example:
        >>> names_with("png_level")
        ('png',)
    """
    return tuple(each.name for each in FORMATS.values() if OPTIONS[option] in each.options)
