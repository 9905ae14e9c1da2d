"""Pixels of an opened file in any of the layouts that archives hold, upright, as L, RGB and alpha, of 8 or 16 bits."""

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
    logging.getLogger(_codec).setLevel(logging.CRITICAL)  # what they log of damage they also raise
_ORIENTATION = 0x0112  # EXIF tag
_BITS = 0x0102  # TIFF tag, per sample
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {  # the same of [H, W, c]
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: lambda x: np.rot90(x, 1),
}
_ROWS = 256


def is_sideways(image: Opened) -> bool:
    """Whether width and height are to be swapped; not of a TIFF file that Pillow has decoded, which is upright."""
    return _orientation(image) in SIDEWAYS


def is_deep(image: Image.Image, content: bytes) -> bool:
    """Whether there are more than 8 bits a channel, of which Pillow keeps 8, or moves without scaling."""
    if image.format == "JPEG2000" and image.mode == "I;16":
        return 8 < jpeg2000.depth(content) < 16
    if image.mode not in ("RGB", "RGBA", "LA"):
        return False
    if image.format == "PNG":
        return str(_arguments(image)).endswith(";16B")
    if image.format == "JPEG2000":
        return jpeg2000.depth(content) > 8
    return image.format == "PPM" and _most(image) > 255


def pixels_of(image: Opened, content: bytes) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Pixels uint8 or uint16 [H, W] or [H, W, 3], and alpha uint8 [H, W] where there is one.

    Args:
        image: as opened; it loses its orientation.
        content: the file.

    Raises:
        ImageError: a layout that is not known here.
        Exception: whatever the codecs raise on damage.
    """
    if isinstance(image, pages.Page):
        pixels, alpha = _split(image, *pages.read(image))
    elif is_deep(image, content):
        pixels, alpha = _deep(image, content)
    else:
        plain, mask = plain_modes(upright(image))
        pixels, alpha = _array(plain), None if mask is None else _array(mask)
    if pixels.ndim == 3 and is_neutral(pixels):
        pixels = np.ascontiguousarray(pixels[..., 0])
    return pixels, alpha


def to_8_bits(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The upper half of each value; of a large scan nothing else is in memory beside it."""
    made = np.empty(pixels.shape, np.uint8)
    np.right_shift(pixels, 8, out=made, casting="unsafe")
    return made


def _array(image: Image.Image) -> NDArray[Any]:
    """The same pixels; of a large image band by band, since Pillow's own way holds them three times."""
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
    """The image, decoded, as it is to be looked at."""
    _load(image)
    turn = _TURNS.get(_orientation(image))
    turned = image if turn is None else image.transpose(turn)
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_BITS) == (12,):
        values = np.asarray(turned)
        return Image.fromarray(values << 4 | values >> 8)  # Pillow leaves 12 bits at 0 to 4095
    return turned


def _load(image: Image.Image) -> None:
    """Decodes it: before its orientation is asked for, since what a PNG file says may follow its pixels."""
    image.load()
    if image.format == "PNG":
        image.info = text_profiles.found_in(image.info) | image.info


def plain_modes(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The image as L, I;16 or RGB, and its alpha as L. Raises ImageError on other modes."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        clear = image.info.get("transparency")  # a PNG file's one gray that is
        return Image.fromarray(values), None if clear is None else Image.fromarray(values != clear).convert("L")
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBa", "RGBA"):
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        return image.convert("RGB"), image.getchannel("A")
    if image.mode in ("L", "RGB"):
        return image, None
    if image.mode == "1":
        return image.convert("L"), None
    if image.mode == "LAB":
        return _converted(image, ImageCms.createProfile("LAB")), None
    if image.mode == "CMYK" and color_management.space(image.info.get("icc_profile")) == "CMYK":
        return _of_inks(image), None
    if image.mode in ("P", "CMYK", "YCbCr", "HSV", "RGBX"):
        return image.convert("RGB"), None
    raise ImageError("unsupported", f"pixels of Pillow mode {image.mode} (need 8 bit, or 16 bit gray)")


def _of_inks(image: Image.Image) -> Image.Image:
    try:
        return _converted(image, ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])))
    except (ImageCms.PyCMSError, OSError):  # a broken profile is no reason to lose a photograph
        return image.convert("RGB")


def _converted(image: Image.Image, profile: Any) -> Image.Image:
    converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    if converted is None:  # said to be for conversions in place alone
        raise ImageError("unsupported", f"pixels of Pillow mode {image.mode}")
    return converted


def _deep(image: Image.Image, content: bytes) -> tuple[NDArray[np.uint16], NDArray[np.uint8] | None]:
    """RGB or gray uint16 and alpha uint8, upright."""
    most = _most(image)
    if image.format == "JPEG2000":
        found = _deep_jpeg2000(image, content)
    else:
        _load(image)  # to find damage as in all other files
        found = imagecodecs.png_decode(content) if image.format == "PNG" else _deep_ppm(content, most)
    color = 3 if found.shape[2] > 2 else 1
    alpha = (found[..., color] >> 8).astype(np.uint8) if found.shape[2] > color else None
    return _split(image, found[..., :color], alpha)


def _split(
    image: Opened, pixels: NDArray[Any], alpha: NDArray[np.uint8] | None
) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Upright pixels, [H, W] where they have one channel, and alpha of what is as stored."""
    turn = _TURNED.get(_orientation(image), np.asarray)
    seen = turn(pixels)
    pixels = np.ascontiguousarray(seen if seen.shape[2] == 3 else seen[..., 0])
    return pixels, None if alpha is None else np.ascontiguousarray(turn(alpha))


def _arguments(image: Image.Image) -> Any:
    """Of the decoder of an image that was not yet decoded."""
    tiles = getattr(image, "tile", ())
    return tiles[0].args if tiles else ("",)


def _most(image: Image.Image) -> int:
    """The value that means white in a PPM file, where its decoder is told."""
    arguments = _arguments(image)
    return int(arguments[-1]) if isinstance(arguments, tuple) and isinstance(arguments[-1], int) else 255


def _deep_ppm(content: bytes, most: int) -> NDArray[np.uint16]:
    ended = np.frombuffer(content + b"\n", np.uint8)  # which OpenCV wants after the last number
    found: Any = cv2.imdecode(ended, cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16 or found.ndim != 3:
        raise ImageError("damaged", "the pixels cannot be read")
    rgb: NDArray[np.uint16] = found[..., ::-1]
    return rgb if most == 65535 else np.rint(rgb * (65535 / most)).astype(np.uint16)


def _deep_jpeg2000(image: Image.Image, content: bytes) -> NDArray[np.uint16]:
    head = jpeg2000.codestream(content)
    if head.size != image.size:
        raise ImageError("damaged", "a JPEG 2000 file of {}x{} has pixels of {}x{}".format(*image.size, *head.size))
    pixels = jpeg2000.alone(content)
    if not jpeg2000.is_whole(pixels):
        raise ImageError("damaged", "the JPEG 2000 file ends before its pixels do: it may have been cut off")
    found: NDArray[np.uint16] = np.atleast_3d(imagecodecs.jpeg2k_decode(pixels))
    return found if head.bits[0] == 16 else np.rint(found * (65535 / (2 ** head.bits[0] - 1))).astype(np.uint16)


def _orientation(image: Opened) -> int:
    if isinstance(image, pages.Page):
        return image.directory.orientation
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a broken EXIF block is common and no reason to lose a photograph
        return 1


def is_neutral(rgb: NDArray[Any]) -> bool:
    """Whether the three channels of [H, W, 3] are equal."""
    bands = (rgb[top : top + _ROWS] for top in range(0, len(rgb), _ROWS))  # of a large scan a mask is large, too
    return all(
        np.array_equal(band[..., 0], band[..., 1]) and np.array_equal(band[..., 1], band[..., 2]) for band in bands
    )
