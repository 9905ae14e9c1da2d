"""Bytes of an image file, in any Pillow mode, to upright pixels."""

from __future__ import annotations

import io
import math
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from colorize_core import color
from colorize_core.errors import ImageError, one_line
from colorize_core.images import color_detection, color_management, jpeg2000, layouts, unsupported
from colorize_core.images.layouts import Opened
from colorize_core.images.metadata import Metadata, read_metadata
from colorize_core.images.tiff import directory, pages

_T = TypeVar("_T")
_SUFFIXES = {  # by Pillow's name of the format; no other of its parsers ever sees the bytes
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "JPEG2000": (".jp2", ".jpx", ".j2k", ".j2c"),
    "PPM": (".pgm", ".ppm", ".pbm", ".pnm"),
    "GIF": (".gif",),
}
try:
    import pillow_heif
except ImportError:
    pass
else:
    pillow_heif.register_heif_opener(thumbnails=False)
    _SUFFIXES["HEIF"] = (".heic", ".heif")
FORMATS = tuple(_SUFFIXES)
SUFFIXES = frozenset(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)
SUFFIX_LIST = ", ".join(sorted(SUFFIXES))
MAX_PAGES = 10_000
MAX_PIXELS = 300_000_000  # to decode and join, 300 Mpixel need 1.5 GB where gray, twice that where RGB
MAX_PIXELS_OF_PAGES = 20 * MAX_PIXELS  # of one file: some ten minutes of one process

_MAX_TRAINING_PIXELS = 2 * 89_478_485  # Pillow's own limit: what is larger is no example, but a bomb

Image.MAX_IMAGE_PIXELS = None  # Pillow only warns where we refuse; MAX_PIXELS is checked before any pixel is decoded


@dataclass(frozen=True)
class Photograph:
    """One decoded photograph, upright.

    Attributes:
        pixels: sRGB unless read as stored, uint8, or uint16 of full range, [H, W] or [H, W, 3].
        alpha: uint8 [H, W], where the file has one.
        metadata: what else it has.
        depth: bits of a channel of the file, 8 or 16.
    """

    pixels: NDArray[Any]
    alpha: NDArray[np.uint8] | None
    metadata: Metadata
    depth: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])


@dataclass(frozen=True)
class Small:
    """A photograph, upright, with fewer pixels.

    Attributes:
        gray: sRGB gray values uint8 [h, w].
        size: (width, height) of the photograph itself.
        in_color: whether it shows more than tones of one color.
    """

    gray: NDArray[np.uint8]
    size: tuple[int, int]
    in_color: bool


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for a photograph: by its suffix, and not hidden."""
    base = posixpath.basename(name)
    return posixpath.splitext(base)[1].lower() in SUFFIXES and not base.startswith(".")


def frames(content: bytes) -> list[int]:
    """Where the photographs of a file are: of a TIFF file its pages, but no thumbnails and masks; else 0, the first.

    Raises:
        ImageError: the file is empty, damaged or not an image, or has too many pages, or too large ones.
    """
    if not directory.is_tiff(content):
        _open(content)
        return [0]
    pages = directory.chain(content, MAX_PAGES)
    if len(pages) > MAX_PAGES:
        raise ImageError("too_large", f"the file has more than {MAX_PAGES} pages")
    pages = [page for page in pages if page.is_page] or pages[:1]
    pixels = sum(math.prod(page.size) for page in pages)
    if len(pages) > 1 and pixels > MAX_PIXELS_OF_PAGES:
        most = MAX_PIXELS_OF_PAGES // 1_000_000
        raise ImageError(
            "too_large", f"{len(pages)} pages have {pixels // 1_000_000} Mpixel, more than {most}: split it"
        )
    return [page.offset for page in pages] or [0]


def read_photograph(content: bytes, frame: int = 0, *, as_stored: bool = False) -> Photograph:
    """Decodes a whole file, or what lies at one of its ``frames``.

    Args:
        content: the file.
        frame: one of its ``frames``.
        as_stored: pixels stay as an RGB profile of the file has them, for a photograph that keeps its colors.

    Raises:
        ImageError: the file is empty, damaged, too large or not an image; its reason says which.
    """
    image = _open(content, frame=frame)
    return _guarded(lambda: _photograph(image, content, as_stored))


def read_small(content: bytes, side: int, frame: int = 0) -> Small:
    """A look at a photograph of which neither side is below ``side``, where the file has as many pixels.

    JPEG files are reduced while they are decoded, for a fraction of the time. Arguments and errors as above.
    """
    image = _open(content, frame=frame)
    return _guarded(lambda: _small(image, content, side))


def read_rgb(content: bytes) -> NDArray[np.uint8]:
    """sRGB uint8 [H, W, 3], upright; gray files have three equal channels. Raises ImageError."""
    pixels = _read_pixels(content)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=-1)


def read_gray(content: bytes) -> NDArray[np.uint8]:
    """Gray sRGB values uint8 [H, W], upright; of a color file the luminance. Raises ImageError."""
    pixels = _read_pixels(content)
    return pixels if pixels.ndim == 2 else np.rint(255 * color.gray(pixels, "luminance")).astype(np.uint8)


def _read_pixels(content: bytes) -> NDArray[np.uint8]:
    """uint8 [H, W] or [H, W, 3] without the metadata, which training has no use for."""
    image = _open(content, _MAX_TRAINING_PIXELS)
    may_be_turned = image.info.keys() & {"exif", "xmp"}
    if image.format == "JPEG" and image.mode == "RGB" and not may_be_turned and _ends(content):
        # The same decoder behind a thinner wall: two thirds of the time of Pillow's.
        plain: Any = cv2.imdecode(
            np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        )
        if plain is not None and plain.shape[1::-1] == image.size:
            return np.asarray(plain, np.uint8)
    pixels = _guarded(
        lambda: (
            layouts.pixels_of(image, content)[0]
            if isinstance(image, pages.Page) or layouts.is_deep(image, content)
            else np.asarray(layouts.plain_modes(layouts.upright(image))[0])
        )
    )
    return layouts.to_8_bits(pixels) if pixels.dtype == np.uint16 else pixels


def _ends(jpeg: bytes) -> bool:
    """Whether the file has its end marker: OpenCV does not tell of one that was cut, Pillow does."""
    return jpeg.rstrip(b"\0").endswith(b"\xff\xd9")


def _open(content: bytes, most: int | None = None, frame: int = 0) -> Opened:
    most = most or MAX_PIXELS
    if not content:
        raise ImageError("empty", "the file has no bytes")
    if directory.is_tiff(content):
        return _open_page(directory.read(content, frame or directory.first(content)), most)
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        if advice := unsupported.advice(content):
            raise ImageError("unsupported", advice) from None
        begun = next((name for name in FORMATS if (accepts := Image.OPEN[name][1]) and accepts(content[:16])), None)
        if begun:
            raise ImageError("damaged", f"begins like a {begun} file, but what follows cannot be read") from None
        raise ImageError("not_an_image", f"the content is none of {', '.join(FORMATS)}") from None
    except Exception as error:  # a header made to break the parser must end here, not the job
        raise ImageError("damaged", f"the header cannot be read: {one_line(error)}") from error
    _check_size(image.size, most)
    if image.format == "JPEG2000":
        image.info.update(jpeg2000.described(content))
    return image


def _open_page(page: directory.Directory, most: int) -> Opened:
    _check_size(page.size, most)
    if not all(page.size):
        raise ImageError("damaged", "{}x{} is no size of a TIFF page".format(*page.size))
    if pages.knows(page):
        return pages.Page(page)
    if pages.is_signed(page):
        raise ImageError("unsupported", f"a TIFF page of {pages.layout(page)}")
    try:
        return Image.open(page.file(), formats=("TIFF",))
    except Exception as error:  # as above
        pages.check(page)  # where nothing is missing, it is no damage
        raise ImageError("unsupported", f"a TIFF page of {pages.layout(page)}") from error


def _check_size(size: tuple[int, int], most: int) -> None:
    width, height = size
    if width * height > most:
        raise ImageError("too_large", f"{width}x{height} is more than {most // 1_000_000} Mpixel")


def _guarded(decode: Callable[[], _T]) -> _T:
    try:
        return decode()
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen types on damaged data
        raise ImageError("damaged", f"the pixels cannot be read: {one_line(error)}") from error


def _photograph(image: Opened, content: bytes, as_stored: bool) -> Photograph:
    pixels, alpha = layouts.pixels_of(image, content)
    depth = 16 if pixels.dtype == np.uint16 else 8
    metadata = read_metadata(image, content, (pixels.shape[1], pixels.shape[0]))
    if not (as_stored and metadata.icc):
        pixels = _in_srgb(pixels, image)
    return Photograph(pixels, alpha, metadata, depth)


def _small(image: Opened, content: bytes, side: int) -> Small:
    if isinstance(image, pages.Page) or layouts.is_deep(image, content):
        pixels = layouts.pixels_of(image, content)[0]
        width, height = pixels.shape[1], pixels.shape[0]
    else:
        width, height = image.size
        if image.format == "JPEG" and image.mode in ("L", "RGB"):
            image.draft(image.mode, (side, side))
        plain, _ = layouts.plain_modes(layouts.upright(image))
        if image.format != "JPEG":
            width, height = plain.size
        elif layouts.is_sideways(image):
            width, height = height, width
        pixels = np.asarray(plain)
    if pixels.dtype == np.uint16:
        pixels = layouts.to_8_bits(pixels)
    in_color = pixels.ndim == 3 and color_detection.is_in_color(pixels)
    gray = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    curve = _tones(image)  # of neutral colors: near enough for what is gray or toned
    if curve is not None:
        gray = (curve[257 * np.arange(256)] >> 8).astype(np.uint8)[gray]
    return Small(np.asarray(gray, np.uint8), (width, height), in_color)


def _in_srgb(pixels: NDArray[Any], image: Opened) -> NDArray[Any]:
    """The same tones and colors as sRGB has them; uint16 where they change, since 8 bits would lose some."""
    icc = image.info.get("icc_profile")
    if pixels.ndim == 3 and icc:
        return (
            color_management.to_srgb(pixels, icc)
            if color_management.space(icc) == "RGB" and not color_management.is_srgb(icc)
            else pixels
        )
    curve = _tones(image)
    if curve is None:
        return pixels
    return np.take(curve, pixels if pixels.dtype == np.uint16 else pixels.astype(np.uint16) * 257)


def _tones(image: Opened) -> NDArray[np.uint16] | None:
    """sRGB gray value of each gray value 0..65535 that the file means otherwise; None where it does not."""
    icc = image.info.get("icc_profile")
    if icc:
        kind = color_management.space(icc)
        return (
            color_management.tones(icc)
            if kind == "GRAY" or (kind == "RGB" and not color_management.is_srgb(icc))
            else None
        )
    if image.format == "PNG" and "srgb" not in image.info and "gamma" in image.info:
        return color_management.gamma_tones(image.info["gamma"])
    return None
