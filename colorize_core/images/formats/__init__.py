"""The image formats that results can have: a module with one record each, and the registry of them.

To add a format, write a module with its ``ImageFormat`` in this folder, and add an entry to ``FORMATS``. The command
line then has the options of the format.
"""

from __future__ import annotations

from colorize_core.images.formats.image_format import ImageFormat, Option
from colorize_core.images.formats.jpeg import JPEG
from colorize_core.images.formats.png import PNG
from colorize_core.images.formats.tiff import TIFF
from colorize_core.images.formats.webp import WEBP

FORMATS: dict[str, ImageFormat] = {each.name: each for each in (PNG, JPEG, WEBP, TIFF)}
BY_SUFFIX: dict[str, ImageFormat] = {suffix: each for each in FORMATS.values() for suffix in each.suffixes}

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
