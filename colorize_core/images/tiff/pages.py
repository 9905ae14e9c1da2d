"""Reads TIFF pages that Pillow refuses or reads wrongly: with tifffile, strip by strip, to 8 or 16 bits.

Source: TIFF 6.0; for Lab its section 23 (CIELab) and Adobe's TIFF Technical Note 4 (ICCLab).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from colorize_core.errors import ImageError
from colorize_core.images import color_management, jpeg2000
from colorize_core.images.tiff import directory as tags
from colorize_core.images.tiff.directory import Directory

_WHITE_IS_0, _BLACK_IS_0, _RGB, _CIELAB, _ICCLAB = 0, 1, 2, 8, 9
_COLORS = {_WHITE_IS_0: 1, _BLACK_IS_0: 1, _RGB: 3, _CIELAB: 3, _ICCLAB: 3}  # number of color channels, by photometric
_NAMES = {**{0: "gray", 1: "gray", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "Lab", 9: "ICC Lab"}}
_JPEG2000 = (34712, 33005)
_PACKED = (1, 5, 8, 32946, 32773, 34925, 50000)  # none, LZW, deflate twice, PackBits, LZMA, Zstandard
_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_KINDS = {(8, _UNSIGNED), (16, _UNSIGNED), (32, _UNSIGNED), (16, _FLOAT), (32, _FLOAT), (64, _FLOAT)}
_PREMULTIPLIED, _ALPHA = 1, 2  # kinds of extra channels; others are infrared, for instance
_MAX_BYTES = 4_000_000_000  # bytes of all channels of a page
_MAX_TILE_PIXELS = 1 << 24  # a tile may be larger than its page, up to this
_ROWS = 256  # converted at a time


@dataclass(frozen=True)
class Page:
    """A page that is not decoded yet. ``format``, ``mode``, ``size`` and ``info`` mean the same as for Pillow."""

    directory: Directory
    format = "TIFF"
    mode = ""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), as stored."""
        return self.directory.size

    @cached_property
    def info(self) -> dict[str, Any]:
        """The ICC profile, XMP packet and dots per inch that the page has, by the names that Pillow uses."""
        icc = b"" if _photometric(self.directory) in (_CIELAB, _ICCLAB) else self.directory.raw(tags.ICC)
        info = {"icc_profile": icc, "xmp": self.directory.raw(tags.XMP), "dpi": self.directory.dpi()}
        return {key: value for key, value in info.items() if value}


def knows(page: Directory) -> bool:
    """Returns True if this module can read the page, and Pillow would refuse it or read it to 8 bits only."""
    colors, bits, kind = _COLORS.get(_photometric(page), 0), _bits(page), _sample_format(page)
    compression, samples = page.number(tags.COMPRESSION, 1), page.number(tags.SAMPLES, 1)
    if samples < colors or not colors or (bits, kind) not in _KINDS or compression not in (*_JPEG2000, *_PACKED):
        return False
    refused = page.is_big_endian_bigtiff or compression in _JPEG2000 or _photometric(page) == _ICCLAB
    # Pillow reads 16-bit gray too, but in three times the memory; gray with an extra channel only if interleaved.
    return bits > 8 or refused or samples > colors + 1 or samples > colors == 1


def is_signed(page: Directory) -> bool:
    """Returns True for signed values below 32 bits, where black is unknown.

    Pillow and other programs write 0 to 65535 as signed values of 32 bits, which are known.
    """
    return _sample_format(page) == _SIGNED and _bits(page) < 32


def layout(page: Directory) -> str:
    """Returns the layout in words, for messages: ``3 channels of 16 bits, RGB, compression 5``."""
    bits = "/".join(dict.fromkeys(str(int(each)) for each in page.numbers(tags.BITS))) or "1"
    kind = {_FLOAT: "floats", _SIGNED: "signed bits"}.get(_sample_format(page), "bits")
    photometric = _photometric(page)
    colors = _NAMES.get(photometric, f"color type {photometric}" if photometric >= 0 else "no color type")
    samples = page.number(tags.SAMPLES, 1)
    channels = "1 channel" if samples == 1 else f"{samples} channels"
    return f"{channels} of {bits} {kind}, {colors}, compression {page.number(tags.COMPRESSION, 1)}"


def check(page: Directory) -> None:
    """Raises ImageError if strips or tiles lie outside the file, before anything is decoded."""
    starts = page.numbers(tags.TILES) or page.numbers(tags.STRIPS)
    counts = page.numbers(tags.TILE_BYTES) or page.numbers(tags.STRIP_BYTES)
    for number, (start, count) in enumerate(zip(starts, counts, strict=False), 1):
        if not 0 < start <= start + count <= len(page.content):
            ends = f"piece {number} of {len(starts)} of its pixels lies outside of the file"
            raise ImageError("damaged", f"{ends}: it may have been cut off")
    if not starts:
        raise ImageError("damaged", "a TIFF page does not say where its pixels are")


def read(page: Page) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Decodes gray or RGB, uint8 or uint16 [H, W, 1 or 3], not turned upright; and alpha, uint8 [H, W] or None.

    Raises:
        ImageError: strips are missing or too large, or the meaning of the values is unknown.
        Exception: the codecs raise many types on damage.
    """
    directory = page.directory
    check(directory)
    width, height = page.size
    colors, alpha = _COLORS[_photometric(directory)], _alpha(directory)
    samples, bits = directory.number(tags.SAMPLES, 1), _bits(directory)
    if width * height * samples * bits // 8 > _MAX_BYTES:
        raise ImageError("too_large", f"{width}x{height} of {layout(directory)} is more than {_MAX_BYTES} bytes")
    chosen = [*range(colors), *([alpha] if alpha else [])]
    pixels = np.empty((height, width, len(chosen)), np.uint8 if bits == 8 else np.uint16)
    with tifffile.TiffFile(directory.file()) as file:
        for top, left, plane, block in _blocks(file, directory):
            area = pixels[top : top + len(block), left : left + block.shape[1]]
            block = block[: area.shape[0], : area.shape[1]]
            if plane is None:
                area[:] = _unsigned(block[..., chosen])
            elif plane in chosen:
                area[..., chosen.index(plane)] = _unsigned(block[..., 0])
    for top in range(0, height, _ROWS):
        band = pixels[top : top + _ROWS]
        if alpha and directory.numbers(tags.EXTRA_SAMPLES)[alpha - colors] == _PREMULTIPLIED:
            band[..., :colors] = _unpremultiplied(band[..., :colors], band[..., colors:])
        band[..., :colors] = _to_gray_or_srgb(band[..., :colors], _photometric(directory))
    if not alpha:
        return pixels, None
    return np.ascontiguousarray(pixels[..., :colors]), (pixels[..., colors] >> 8 * (bits > 8)).astype(np.uint8)


def _blocks(file: tifffile.TiffFile, directory: Directory) -> Iterator[tuple[int, int, int | None, NDArray[Any]]]:
    """Yields top, left, channel (None: all) and pixels [h, w, c] of pieces of the page, a few rows each."""
    page: Any = file.pages.first
    separate = page.shaped[0] > 1
    if len(page.shape) > 3:
        raise ImageError("unsupported", "a TIFF page of more than one layer")
    for top, left, channel, block in (
        _uncompressed(page, directory) if _is_uncompressed(page) else _decoded(page, directory)
    ):
        for row in range(0, len(block), _ROWS):
            yield top + row, left, channel if separate else None, block[row : row + _ROWS]


def _is_uncompressed(page: Any) -> bool:
    """Returns True if the file holds the pixels uncompressed, in one piece."""
    return bool(page.is_contiguous) and page.predictor == 1 and page.fillorder == 1


def _uncompressed(page: Any, directory: Directory) -> Iterator[tuple[int, int, int, NDArray[Any]]]:
    """Yields each plane of uncompressed pixels, as a view of the file without a copy."""
    dtype = np.dtype(page.parent.byteorder + page.dtype.char)
    start, count = page.dataoffsets[0], math.prod(page.shaped)
    if start + count * dtype.itemsize > len(directory.content):
        raise ImageError("damaged", "the file ends before its pixels do: it may have been cut off")
    planes = np.frombuffer(directory.content, dtype, count, start).reshape(page.shaped)[:, 0]
    yield from ((0, 0, channel, plane) for channel, plane in enumerate(planes))


def _decoded(page: Any, directory: Directory) -> Iterator[tuple[int, int, int, NDArray[Any]]]:
    """Decodes strip by strip, or tile by tile."""
    width, height = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.rowsperstrip)
    if width * height > max(_MAX_TILE_PIXELS, page.imagewidth * page.imagelength):
        raise ImageError("damaged", f"tiles of {width}x{height} are larger than the page")
    pieces = math.prod(page.chunked)
    if len(page.dataoffsets) < pieces or len(page.databytecounts) < pieces:
        raise ImageError("damaged", f"{len(page.dataoffsets)} of {pieces} pieces of the page are there")
    for index in range(pieces):
        start = page.dataoffsets[index]
        data = directory.content[start : start + page.databytecounts[index]]
        if page.compression in _JPEG2000:
            header = jpeg2000.codestream(data)
            if header.size[0] > width or header.size[1] > height or len(header.bits) > page.samplesperpixel:
                raise ImageError("damaged", f"a piece of {{}}x{{}} in place of {width}x{height}".format(*header.size))
        block, (channel, _, top, left, _), _ = page.decode(data, index)
        if block.dtype != page.dtype:
            raise ImageError("damaged", f"the decoder returns {block.dtype} pixels, but the page has {page.dtype}")
        yield top, left, channel, block[0]


def _unsigned(block: NDArray[Any]) -> NDArray[Any]:
    """Converts unsigned values or floats from 0 to 1 to uint8 or uint16 of full range. Raises ImageError otherwise."""
    if block.dtype.kind == "f":
        low, high = float(block.min()), float(block.max())
        if not (low >= 0 and high <= 1):  # also true for NaN
            raise ImageError(
                "unsupported", f"floats from {low:g} to {high:g}: only 0 to 1 can be told from black to white"
            )
        block = np.rint(block.astype(np.float32) * np.float32(65535)).astype(np.uint16)
    return (block >> 16).astype(np.uint16) if block.dtype.itemsize == 4 else block


def _unpremultiplied(colors: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Divides premultiplied colors [h, w, c] by alpha [h, w, 1]."""
    white = np.iinfo(colors.dtype).max
    divided: NDArray[Any] = np.rint(np.minimum(colors * (white / np.maximum(alpha, 1)), white)).astype(colors.dtype)
    return divided


def _to_gray_or_srgb(colors: NDArray[Any], photometric: int) -> NDArray[Any]:
    """Converts stored colors to gray with black at 0, or to sRGB."""
    if photometric == _WHITE_IS_0:
        return ~colors
    if photometric in (_CIELAB, _ICCLAB):
        return color_management.lab_to_srgb(
            _lab(colors, photometric), np.uint16 if colors.dtype == np.uint16 else np.uint8
        )
    return colors


def _lab(stored: NDArray[Any], photometric: int) -> NDArray[np.float64]:
    """Returns Lab, L in 0..100, for stored values of 8 or 16 bits."""
    is_deep = stored.dtype == np.uint16
    unit = 256.0 if is_deep else 1.0
    ab: NDArray[np.float64] = stored[..., 1:].astype(np.float64) / unit
    if photometric == _CIELAB:  # a and b are signed
        ab, white = np.where(ab < 128, ab, ab - 256), 65535.0 if is_deep else 255.0
    else:
        ab, white = ab - 128, 65280.0 if is_deep else 255.0
    return np.concatenate([stored[..., :1] * (100 / white), ab], axis=-1)


def _photometric(page: Directory) -> int:
    """Returns the photometric interpretation; -1 if the page has none."""
    return page.number(tags.PHOTOMETRIC, -1)


def _bits(page: Directory) -> int:
    """Returns the bits per channel; 0 if channels differ."""
    bits = set(page.numbers(tags.BITS))
    return int(bits.pop()) if len(bits) == 1 else 0


def _sample_format(page: Directory) -> int:
    """Returns the sample format: unsigned if it is missing or undefined, 0 if channels differ."""
    formats = set(page.numbers(tags.SAMPLE_FORMAT)) or {_UNSIGNED}
    kind = int(formats.pop()) if len(formats) == 1 else 0
    return _UNSIGNED if kind == _UNDEFINED else kind


def _alpha(page: Directory) -> int:
    """Returns the index of the alpha channel; 0 if there is none."""
    kinds = page.numbers(tags.EXTRA_SAMPLES)
    colors = _COLORS[_photometric(page)]
    alpha = next((colors + k for k, kind in enumerate(kinds) if kind in (_PREMULTIPLIED, _ALPHA)), 0)
    return alpha if alpha < page.number(tags.SAMPLES, 1) else 0
