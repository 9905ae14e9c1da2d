"""Decodes an opened file, in any pixel layout that archives hold, to upright gray or RGB and alpha, 8 or 16 bits."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from colorize_core.errors import ImageError
from colorize_core.images import color_management, jpeg2000
from colorize_core.images.png import text_profiles
from colorize_core.images.tiff import pages
from colorize_core.images.tiff.directory import SIDEWAYS

Opened = Image.Image | pages.Page
for _codec in ("imagecodecs", "tifffile"):
    logging.getLogger(_codec).setLevel(logging.CRITICAL)  # damage that they log they also raise
_ORIENTATION = 0x0112  # EXIF tag
_BITS = 0x0102  # TIFF tag: bits per sample
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ARRAY_TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {  # the same for arrays [H, W, c]
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: lambda x: np.rot90(x, 1),
}
_ROWS = 256  # copied or compared at a time


def is_sideways(image: Opened) -> bool:
    """Returns True if width and height must be swapped. A TIFF file that Pillow has decoded is upright already."""
    return _orientation(image) in SIDEWAYS


def is_deep(image: Image.Image, content: bytes) -> bool:
    """Returns True if channels have more than 8 bits, and Pillow would cut them to 8 or not scale them to 16."""
    if image.format == "JPEG2000" and image.mode == "I;16":
        return 8 < jpeg2000.depth(content) < 16
    if image.mode not in ("RGB", "RGBA", "LA"):
        return False
    if image.format == "PNG":
        return str(_decoder_arguments(image)).endswith(";16B")
    if image.format == "JPEG2000":
        return jpeg2000.depth(content) > 8
    return image.format == "PPM" and _white_value(image) > 255


def pixels_of(image: Opened, content: bytes) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Decodes pixels, uint8 or uint16, [H, W] or [H, W, 3], and alpha, uint8 [H, W] or None.

    Args:
        image: an image that is opened and not decoded yet. Its orientation is applied.
        content: the file.

    Raises:
        ImageError: the layout is not supported.
        Exception: the codecs raise many types on damage.
    """
    if isinstance(image, pages.Page):
        pixels, alpha = _turned(image, *pages.read(image))
    elif is_deep(image, content):
        pixels, alpha = _deep(image, content)
    else:
        plain, mask = plain_modes(upright(image))
        pixels, alpha = _array(plain), None if mask is None else _array(mask)
    if pixels.ndim == 3 and is_neutral(pixels):
        pixels = np.ascontiguousarray(pixels[..., 0])
    return pixels, alpha


def to_8_bits(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Returns the upper 8 bits of each value, without temporary arrays: large scans need the memory."""
    eight_bits = np.empty(pixels.shape, np.uint8)
    np.right_shift(pixels, 8, out=eight_bits, casting="unsafe")
    return eight_bits


def _array(image: Image.Image) -> NDArray[Any]:
    """Returns the pixels of an image, copied in bands: Pillow's own conversion holds them three times in memory."""
    if image.height <= _ROWS:
        return np.asarray(image)
    first = np.asarray(image.crop((0, 0, image.width, _ROWS)))
    pixels = np.empty((image.height, *first.shape[1:]), first.dtype)
    pixels[:_ROWS] = first
    for top in range(_ROWS, image.height, _ROWS):
        bottom = min(top + _ROWS, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels


def upright(image: Image.Image) -> Image.Image:
    """Decodes an image and applies its orientation."""
    _load(image)
    turn = _TURNS.get(_orientation(image))
    turned = image if turn is None else image.transpose(turn)
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_BITS) == (12,):
        values = np.asarray(turned)
        return Image.fromarray(values << 4 | values >> 8)  # Pillow does not scale 12 bits: 0 to 4095
    return turned


def _load(image: Image.Image) -> None:
    """Decodes an image. The orientation is read later, because metadata of a PNG file may follow its pixels."""
    image.load()
    if image.format == "PNG":
        image.info = text_profiles.found_in(image.info) | image.info


def plain_modes(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Converts an image to mode L, I;16 or RGB, and its alpha to L or None. Raises ImageError for other modes."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        clear = image.info.get("transparency")  # the one gray value of a PNG file that is transparent
        return Image.fromarray(values), None if clear is None else Image.fromarray(values != clear).convert("L")
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBa", "RGBA"):
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        return image.convert("RGB"), image.getchannel("A")
    if image.mode in ("L", "RGB"):
        return image, None
    if image.mode == "1":
        return image.convert("L"), None
    if image.mode == "LAB":
        return _to_srgb(image, ImageCms.createProfile("LAB")), None
    if image.mode == "CMYK" and color_management.space(image.info.get("icc_profile")) == "CMYK":
        return _from_cmyk(image), None
    if image.mode in ("P", "CMYK", "YCbCr", "HSV", "RGBX"):
        return image.convert("RGB"), None
    raise ImageError("unsupported", f"pixels of Pillow mode {image.mode} (need 8 bit, or 16 bit gray)")


def _from_cmyk(image: Image.Image) -> Image.Image:
    """Converts CMYK to RGB with the ICC profile of the image, or without it if it is broken."""
    try:
        return _to_srgb(image, ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])))
    except (ImageCms.PyCMSError, OSError):  # a broken profile is no reason to lose a photograph
        return image.convert("RGB")


def _to_srgb(image: Image.Image, profile: Any) -> Image.Image:
    """Converts an image from a profile of LittleCMS to sRGB."""
    converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    if converted is None:  # its documentation says: only if it converted in place
        raise ImageError("unsupported", f"pixels of Pillow mode {image.mode} cannot be converted to sRGB")
    return converted


def _deep(image: Image.Image, content: bytes) -> tuple[NDArray[np.uint16], NDArray[np.uint8] | None]:
    """Decodes more than 8 bits per channel: upright gray or RGB uint16, and alpha uint8 or None."""
    white = _white_value(image)
    if image.format == "JPEG2000":
        pixels = _deep_jpeg2000(image, content)
    else:
        _load(image)  # finds damage, as for all other files
        pixels = imagecodecs.png_decode(content) if image.format == "PNG" else _deep_ppm(content, white)
    color = 3 if pixels.shape[2] > 2 else 1
    alpha = (pixels[..., color] >> 8).astype(np.uint8) if pixels.shape[2] > color else None
    return _turned(image, pixels[..., :color], alpha)


def _turned(
    image: Opened, pixels: NDArray[Any], alpha: NDArray[np.uint8] | None
) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Applies the orientation to stored pixels [H, W, 1 or 3] and alpha; pixels of one channel become [H, W]."""
    turn = _ARRAY_TURNS.get(_orientation(image), np.asarray)
    turned = turn(pixels)
    pixels = np.ascontiguousarray(turned if turned.shape[2] == 3 else turned[..., 0])
    return pixels, None if alpha is None else np.ascontiguousarray(turn(alpha))


def _decoder_arguments(image: Image.Image) -> Any:
    """Returns the arguments of Pillow's decoder for an image that is not decoded yet."""
    tiles = getattr(image, "tile", ())
    return tiles[0].args if tiles else ("",)


def _white_value(image: Image.Image) -> int:
    """Returns the value that means white in a PPM file, as Pillow tells its decoder; else 255."""
    arguments = _decoder_arguments(image)
    return int(arguments[-1]) if isinstance(arguments, tuple) and isinstance(arguments[-1], int) else 255


def _deep_ppm(content: bytes, white: int) -> NDArray[np.uint16]:
    """Decodes a PPM file to uint16 [H, W, 3] of full range; ``white`` is the largest value in the file."""
    ended = np.frombuffer(content + b"\n", np.uint8)  # OpenCV needs a line break after the last number
    bgr: Any = cv2.imdecode(ended, cv2.IMREAD_UNCHANGED)
    if bgr is None or bgr.dtype != np.uint16 or bgr.ndim != 3:
        raise ImageError("damaged", "the pixels cannot be read")
    rgb: NDArray[np.uint16] = bgr[..., ::-1]
    return rgb if white == 65535 else np.rint(rgb * (65535 / white)).astype(np.uint16)


def _deep_jpeg2000(image: Image.Image, content: bytes) -> NDArray[np.uint16]:
    """Decodes a JPEG 2000 file of more than 8 bits to uint16 [H, W, c] of full range."""
    header = jpeg2000.codestream(content)
    if header.size != image.size:
        raise ImageError("damaged", "a JPEG 2000 file of {}x{} has pixels of {}x{}".format(*image.size, *header.size))
    compressed = jpeg2000.alone(content)
    if not jpeg2000.is_whole(compressed):
        raise ImageError("damaged", "the JPEG 2000 file ends before its pixels do: it may have been cut off")
    pixels: NDArray[np.uint16] = np.atleast_3d(imagecodecs.jpeg2k_decode(compressed))
    white = 2 ** header.bits[0] - 1
    return pixels if white == 65535 else np.rint(pixels * (65535 / white)).astype(np.uint16)


def _orientation(image: Opened) -> int:
    """Returns the EXIF orientation, 1 to 8; 1 (upright) if the file has none."""
    if isinstance(image, pages.Page):
        return image.directory.orientation
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a broken EXIF block is common and no reason to lose a photograph
        return 1


def is_neutral(rgb: NDArray[Any]) -> bool:
    """Returns True if the three channels of [H, W, 3] are equal."""
    bands = (rgb[top : top + _ROWS] for top in range(0, len(rgb), _ROWS))  # one mask of a large scan would be large
    return all(
        np.array_equal(band[..., 0], band[..., 1]) and np.array_equal(band[..., 1], band[..., 2]) for band in bands
    )
