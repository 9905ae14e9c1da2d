"""Opens image files: parses the header and checks the size, but decodes no pixels yet."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from colorize_core.errors import ImageError, one_line
from colorize_core.images import jpeg2000, unsupported
from colorize_core.images.formats import READABLE
from colorize_core.images.layouts import Opened
from colorize_core.images.tiff import directory, pages

_PILLOW_FORMATS = tuple(each.pillow_name for each in READABLE)  # no other parser of Pillow ever sees the bytes

Image.MAX_IMAGE_PIXELS = None  # Pillow only warns; here the size is checked before any pixel is decoded


def open_image(content: bytes, max_pixels: int) -> Opened:
    """Opens an image file, or the first page of a TIFF file.

    Args:
        content: the file.
        max_pixels: the largest width * height that is accepted.

    Raises:
        ImageError: the file is empty, damaged, too large, not an image or not supported.
    """
    if not content:
        raise ImageError("empty", "the file has no bytes")
    if directory.is_tiff(content):
        return open_page(directory.read(content, directory.first(content)), max_pixels)
    try:
        image = Image.open(io.BytesIO(content), formats=_PILLOW_FORMATS)
    except UnidentifiedImageError:
        raise _unidentified(content) from None
    except Exception as error:  # a header made to break the parser must not end the job
        raise ImageError("damaged", f"the header cannot be read: {one_line(error)}") from error
    _check_size(image.size, max_pixels)
    if image.format == "JPEG2000":
        image.info.update(jpeg2000.metadata(content))
    return image


def open_page(page: directory.Directory, max_pixels: int) -> Opened:
    """Opens one page of a TIFF file, with Pillow or, if Pillow cannot read it correctly, as a ``Page``.

    Raises:
        ImageError: the page is damaged, too large or not supported.
    """
    _check_size(page.size, max_pixels)
    if not all(page.size):
        raise ImageError("damaged", "a TIFF page has the size {}x{}: both sides must be 1 or more".format(*page.size))
    if pages.knows(page):
        return pages.Page(page)
    if pages.is_signed(page):
        raise ImageError("unsupported", f"a TIFF page of {pages.layout(page)}")
    try:
        return Image.open(page.file(), formats=("TIFF",))
    except Exception as error:  # a header made to break the parser must not end the job
        pages.check(page)  # raises if the page is damaged; else Pillow does not know its layout
        raise ImageError("unsupported", f"a TIFF page of {pages.layout(page)}") from error


def _unidentified(content: bytes) -> ImageError:
    """Returns the error for a file that Pillow does not recognize: unsupported, damaged or not an image."""
    if advice := unsupported.advice(content):
        return ImageError("unsupported", advice)
    for name in _PILLOW_FORMATS:
        accepts = Image.OPEN[name][1]
        if accepts and accepts(content[:16]):
            return ImageError("damaged", f"begins like a {name} file, but what follows cannot be read")
    return ImageError("not_an_image", f"the content is in none of the formats {', '.join(_PILLOW_FORMATS)}")


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageError("too_large", f"{width}x{height} is more than {max_pixels // 1_000_000} Mpixel")
