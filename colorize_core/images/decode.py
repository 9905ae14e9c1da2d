"""Decodes image files, in any layout that archives hold, to upright pixels in sRGB.

``open_photograph`` parses the header and returns an ``OpenedPhotograph``. Its methods decode the photographs in the
file: what ``read_small`` has decoded at full size, ``read`` does not decode again.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_core import color
from colorize_core.errors import ImageError, one_line
from colorize_core.images import color_detection, color_management, layouts, opening
from colorize_core.images.formats import READABLE_SUFFIXES
from colorize_core.images.layouts import Opened
from colorize_core.images.metadata import Metadata, read_metadata
from colorize_core.images.tiff import directory, pages

_T = TypeVar("_T")
SUFFIX_LIST = ", ".join(sorted(READABLE_SUFFIXES))
MAX_PAGES = 10_000
MAX_PIXELS = 300_000_000  # to decode and join, 300 Mpixel need 1.5 GB if gray, twice that if RGB
MAX_PIXELS_OF_PAGES = 20 * MAX_PIXELS  # pixels of all pages of a file: about ten minutes of one process

_LARGE = 1 << 24  # pixels: larger photographs are not held; JPEG files are reduced while they are decoded
_MAX_TRAINING_PIXELS = 2 * 89_478_485  # Pillow's own limit: a larger file is no example, but a decompression bomb


@dataclass(frozen=True)
class Photograph:
    """A decoded photograph, upright.

    Attributes:
        pixels: uint8, or uint16 of full range, [H, W] or [H, W, 3]; sRGB unless read as stored.
        alpha: uint8 [H, W], or None if the file has none.
        metadata: EXIF, resolution, ICC profile, IPTC and XMP of the file.
        depth: bits per channel of the file, 8 or 16.
    """

    pixels: NDArray[Any]
    alpha: NDArray[np.uint8] | None
    metadata: Metadata
    depth: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, in pixels."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])

    @property
    def bytes(self) -> int:
        """Bytes of pixels and alpha in memory."""
        return self.pixels.nbytes + (0 if self.alpha is None else self.alpha.nbytes)


@dataclass(frozen=True)
class SmallPhotograph:
    """A photograph in gray for the input of a network: upright, and reduced if that saves time.

    Attributes:
        gray: sRGB gray values uint8 [h, w].
        size: (width, height) of the photograph at full size.
        in_color: the photograph shows more than tones of one color.
    """

    gray: NDArray[np.uint8]
    size: tuple[int, int]
    in_color: bool


@dataclass(frozen=True)
class _Decoded:
    """A decoded frame.

    Attributes:
        frame: its offset in the file.
        image: the image, for its metadata.
        pixels: uint8 or uint16, [H, W] or [H, W, 3], upright, in the color space of the file.
        alpha: uint8 [H, W], or None.
    """

    frame: int
    image: Opened
    pixels: NDArray[Any]
    alpha: NDArray[np.uint8] | None


class OpenedPhotograph:
    """An image file with a parsed header, from which photographs can be read. The object keeps the file in memory.

    Args:
        content: the file.

    Raises:
        ImageError: the file is empty, damaged, too large or not an image.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._image: Opened | None = None if directory.is_tiff(content) else opening.open_image(content, MAX_PIXELS)
        self._pages: dict[int, directory.Directory] = {}  # pages of a TIFF file, by offset
        self._decoded: _Decoded | None = None

    @cached_property
    def frames(self) -> list[int]:
        """The offsets of a TIFF file's pages, without thumbnails and masks; [0] for files of other formats.

        Raises ImageError if the chain of pages is damaged, or if there are too many pages or too large ones.
        """
        if not directory.is_tiff(self._content):
            return [0]
        chain = directory.chain(self._content, MAX_PAGES)
        if len(chain) > MAX_PAGES:
            raise ImageError("too_large", f"the file has more than {MAX_PAGES} pages")
        photographs = [page for page in chain if page.is_page] or chain[:1]
        pixels = sum(math.prod(page.size) for page in photographs)
        if len(photographs) > 1 and pixels > MAX_PIXELS_OF_PAGES:
            size, limit = pixels // 1_000_000, MAX_PIXELS_OF_PAGES // 1_000_000
            raise ImageError("too_large", f"{len(photographs)} pages have {size} Mpixel, more than {limit}: split it")
        self._pages = {page.offset: page for page in photographs}
        return list(self._pages) or [0]

    def read(self, frame: int = 0, *, as_stored: bool = False) -> Photograph:
        """Decodes a photograph at full size.

        Args:
            frame: one of ``frames``, which are offsets in the file; 0 is the first. Other pages are not read.
            as_stored: pixels stay in the RGB profile of the file, for a photograph that keeps its colors.

        Raises:
            ImageError: the photograph is damaged, too large or not supported; its reason says which.
        """
        decoded, self._decoded = self._decoded, None
        if decoded is None or decoded.frame != frame:
            decoded = self._decode(self._take(frame), frame)
        return _guarded(lambda: _photograph(decoded, self._content, as_stored))

    def read_small(self, side: int, frame: int = 0) -> SmallPhotograph:
        """Decodes a photograph to gray pixels, with no side below ``side`` unless the file itself has fewer pixels.

        JPEG files of more than 16 Mpixel are reduced while they are decoded; others have their full size. A photograph
        of up to 16 Mpixel stays in memory for ``read``. Raises ImageError as ``read`` does.
        """
        image = self._take(frame)
        is_large = math.prod(image.size) > _LARGE
        if is_large and not isinstance(image, pages.Page) and image.format == "JPEG":
            return _guarded(partial(_reduced, image, side))
        decoded = self._decode(image, frame)
        self._decoded = None if is_large else decoded
        return _guarded(lambda: _small(decoded.pixels, decoded.image, decoded.pixels.shape[1::-1]))

    def holds(self, frame: int) -> bool:
        """Returns True if ``read`` does not have to decode this frame."""
        return self._decoded is not None and self._decoded.frame == frame

    def _decode(self, image: Opened, frame: int) -> _Decoded:
        pixels, alpha = _guarded(lambda: layouts.pixels_of(image, self._content))
        return _Decoded(frame, image, pixels, alpha)

    def _take(self, frame: int) -> Opened:
        """Returns an image to decode: the one that was opened, or, as Pillow decodes it only once, a new one."""
        if directory.is_tiff(self._content):
            offset = frame or directory.first(self._content)
            page = self._pages.get(offset) or directory.read(self._content, offset)
            return opening.open_page(page, MAX_PIXELS)
        image, self._image = self._image, None
        return image or opening.open_image(self._content, MAX_PIXELS)


def open_photograph(content: bytes) -> OpenedPhotograph:
    """Opens an image file. Raises ImageError if it is empty, damaged, too large or not an image.

    Example:
        >>> from colorize_core.images import png
        >>> photograph = open_photograph(png.encode(np.zeros((20, 30), np.uint8)))
        >>> photograph.frames, photograph.read().size
        ([0], (30, 20))
    """
    return OpenedPhotograph(content)


def is_image_name(name: str) -> bool:
    """Returns True if a file of this name is taken for a photograph: by its suffix, and not hidden.

    Example:
        >>> is_image_name("box 7/scan.TIF"), is_image_name("box 7/.scan.tif")
        (True, False)
    """
    base = posixpath.basename(name)
    return posixpath.splitext(base)[1].lower() in READABLE_SUFFIXES and not base.startswith(".")


def read_photograph(content: bytes, frame: int = 0, *, as_stored: bool = False) -> Photograph:
    """Opens a file and decodes a photograph of it, as ``OpenedPhotograph.read`` does. Raises ImageError."""
    return open_photograph(content).read(frame, as_stored=as_stored)


def read_rgb(content: bytes) -> NDArray[np.uint8]:
    """Returns sRGB uint8 [H, W, 3], upright; gray files give three equal channels. Raises ImageError."""
    pixels = _read_pixels(content)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=-1)


def read_gray(content: bytes) -> NDArray[np.uint8]:
    """Returns gray sRGB values uint8 [H, W], upright; color files give their luminance. Raises ImageError."""
    pixels = _read_pixels(content)
    return pixels if pixels.ndim == 2 else np.rint(255 * color.gray(pixels, "luminance")).astype(np.uint8)


def _read_pixels(content: bytes) -> NDArray[np.uint8]:
    """Returns uint8 [H, W] or [H, W, 3]. Skips metadata, which training does not use."""
    image = opening.open_image(content, _MAX_TRAINING_PIXELS)
    may_be_turned = image.info.keys() & {"exif", "xmp"}
    if image.format == "JPEG" and image.mode == "RGB" and not may_be_turned and _has_end_marker(content):
        # OpenCV calls the same decoder as Pillow with less overhead: two thirds of the time.
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


def _has_end_marker(jpeg: bytes) -> bool:
    """Returns True if a JPEG file has its end marker. OpenCV does not report a file that was cut off; Pillow does."""
    return jpeg.rstrip(b"\0").endswith(b"\xff\xd9")


def _guarded(decode: Callable[[], _T]) -> _T:
    """Returns what ``decode`` returns. Turns every exception of a decoder into an ImageError."""
    try:
        return decode()
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen types on damaged data
        raise ImageError("damaged", f"the pixels cannot be read: {one_line(error)}") from error


def _photograph(decoded: _Decoded, content: bytes, as_stored: bool) -> Photograph:
    pixels, image = decoded.pixels, decoded.image
    depth = 16 if pixels.dtype == np.uint16 else 8
    metadata = read_metadata(image, content, (pixels.shape[1], pixels.shape[0]))
    if not (as_stored and metadata.icc):
        pixels = color_management.in_srgb(pixels, image.info, image.format)
    return Photograph(pixels, decoded.alpha, metadata, depth)


def _reduced(image: Image.Image, side: int) -> SmallPhotograph:
    """Decodes a JPEG file at a half, a quarter or an eighth of its size, if both sides stay ``side`` or more."""
    width, height = image.size
    if image.mode in ("L", "RGB"):
        image.draft(image.mode, (side, side))
    plain, _ = layouts.plain_modes(layouts.upright(image))
    return _small(np.asarray(plain), image, (height, width) if layouts.is_sideways(image) else (width, height))


def _small(pixels: NDArray[Any], image: Opened, size: tuple[int, int]) -> SmallPhotograph:
    if pixels.dtype == np.uint16:
        pixels = layouts.to_8_bits(pixels)
    in_color = pixels.ndim == 3 and color_detection.is_in_color(pixels)
    gray = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    # The curve of neutral colors is close enough for gray and toned photographs.
    curve = color_management.tones_of(image.info, image.format)
    if curve is not None:
        gray = (curve[257 * np.arange(256)] >> 8).astype(np.uint8)[gray]
    return SmallPhotograph(np.asarray(gray, np.uint8), size, in_color)
