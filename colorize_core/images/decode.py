"""Bytes of a JPEG, PNG, TIFF, WebP or BMP file, in any Pillow mode, to upright pixels."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from colorize_core import color
from colorize_core.errors import ImageError, one_line
from colorize_core.images.metadata import Metadata, read_metadata

_T = TypeVar("_T")
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp"})
SUFFIX_LIST = ", ".join(sorted(SUFFIXES))
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP")  # Pillow's names; no other of its parsers ever sees the bytes
MAX_PIXELS = 300_000_000  # to decode and join, 300 Mpixel need 1.5 GB where gray, twice that where RGB

_MAX_TRAINING_PIXELS = 2 * 89_478_485  # Pillow's own limit: what is larger is no example, but a bomb

Image.MAX_IMAGE_PIXELS = None  # Pillow only warns where we refuse; MAX_PIXELS is checked before any pixel is decoded


@dataclass(frozen=True)
class Photograph:
    """One decoded photograph, upright.

    ``pixels`` is uint8 [H, W] or [H, W, 3], or uint16 [H, W] of full range; ``alpha`` uint8 [H, W] where the file has
    one.
    """

    pixels: NDArray[Any]
    alpha: NDArray[np.uint8] | None
    metadata: Metadata

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for a photograph: by its suffix, and not hidden."""
    base = posixpath.basename(name)
    return posixpath.splitext(base)[1].lower() in SUFFIXES and not base.startswith(".")


def read_photograph(content: bytes) -> Photograph:
    """Decodes a whole file.

    Raises:
        ImageError: the file is empty, damaged, too large or not an image; its reason says which.
    """
    image = _open(content)
    return _guarded(lambda: _photograph(image))


def read_small(content: bytes, side: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Gray uint8 [h, w] of which neither side is below ``side`` (where the file has as many), and the true (w, h).

    JPEG files are reduced while they are decoded, for a fraction of the time. Raises ImageError as `read_photograph`.
    """
    image = _open(content)

    def small() -> tuple[NDArray[np.uint8], tuple[int, int]]:
        width, height = image.size
        if image.format == "JPEG" and image.mode in ("L", "RGB"):
            image.draft("L", (side, side))
        plain, _ = _plain_modes(_upright(image))
        if _orientation(image) in _SIDEWAYS:  # a TIFF file's is gone by now: its size was upright from the start
            width, height = height, width
        pixels = np.asarray(plain) >> 8 if plain.mode == "I;16" else np.asarray(plain.convert("L"))
        return pixels.astype(np.uint8), (width, height)

    return _guarded(small)


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
    pixels = _guarded(lambda: np.asarray(_plain_modes(_upright(image))[0]))
    return (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels


def _ends(jpeg: bytes) -> bool:
    """Whether the file has its end marker: OpenCV does not tell of one that was cut, Pillow does."""
    return jpeg.rstrip(b"\0").endswith(b"\xff\xd9")


_ORIENTATION = 0x0112  # EXIF tag
_BITS, _PHOTOMETRIC = 0x0102, 0x0106  # TIFF tags: bits per sample; 0 where 0 is white
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)  # those that swap width and height


def _open(content: bytes, most: int | None = None) -> Image.Image:
    most = most or MAX_PIXELS
    if not content:
        raise ImageError("empty", "the file has no bytes")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ImageError("not_an_image", f"the content is none of {', '.join(FORMATS)}") from None
    except Exception as error:  # a header made to break the parser must end here, not the job
        raise ImageError("damaged", f"the header cannot be read: {one_line(error)}") from error
    width, height = image.size
    if width * height > most:
        raise ImageError("too_large", f"{width}x{height} is more than {most // 1_000_000} Mpixel")
    return image


def _guarded(decode: Callable[[], _T]) -> _T:
    try:
        return decode()
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen types on damaged data
        raise ImageError("damaged", f"the pixels cannot be read: {one_line(error)}") from error


def _orientation(image: Image.Image) -> Any:
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # a broken EXIF block is common and no reason to lose a photograph
        return None


def _upright(image: Image.Image) -> Image.Image:
    image.load()  # before the orientation: EXIF may follow a PNG file's pixels, and a TIFF file is turned by this
    turn = _TURNS.get(_orientation(image))
    upright = image if turn is None else image.transpose(turn)
    if image.format == "TIFF" and image.mode == "I;16":
        tags, values = getattr(image, "tag_v2", {}), np.asarray(upright)
        if tags.get(_PHOTOMETRIC) == 0:
            return Image.fromarray(65535 - values)  # Pillow inverts 1 and 8 bits, but not 16
        if tags.get(_BITS) == (12,):
            return Image.fromarray(values << 4 | values >> 8)  # Pillow leaves 12 bits at 0 to 4095
    return upright


def _photograph(image: Image.Image) -> Photograph:
    plain, alpha = _plain_modes(_upright(image))
    pixels = np.asarray(plain)
    if pixels.ndim == 3 and _is_neutral(pixels):
        pixels = pixels[..., 0]
    # Metadata come last: they are read without the orientation, which must have been applied before.
    return Photograph(pixels, None if alpha is None else np.asarray(alpha), read_metadata(image))


def _plain_modes(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The image as L, I;16 or RGB, and its alpha as L."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        clear = image.info.get("transparency")  # a PNG file's one gray that is
        return Image.fromarray(values), None if clear is None else Image.fromarray(values != clear).convert("L")
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBa", "RGBA"):
        image = image.convert("RGBA")
        return image.convert("RGB"), image.getchannel("A")
    if image.mode in ("L", "RGB"):
        return image, None
    if image.mode == "1":
        return image.convert("L"), None
    if image.mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
        if converted is not None:
            return converted, None
    if image.mode in ("P", "CMYK", "YCbCr", "HSV", "RGBX"):
        return image.convert("RGB"), None
    raise ImageError("unsupported", f"pixels of Pillow mode {image.mode} (need 8 bit, or 16 bit gray)")


def _is_neutral(rgb: NDArray[np.uint8]) -> bool:
    return np.array_equal(rgb[..., 0], rgb[..., 1]) and np.array_equal(rgb[..., 1], rgb[..., 2])
