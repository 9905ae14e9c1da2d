"""Pages of TIFF files that Pillow refuses or would read wrongly: by tifffile, strip by strip, to 8 or 16 bits.

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
_COLORS = {_WHITE_IS_0: 1, _BLACK_IS_0: 1, _RGB: 3, _CIELAB: 3, _ICCLAB: 3}  # channels of each photometric
_NAMES = {**{0: "gray", 1: "gray", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "Lab", 9: "ICC Lab"}}
_JPEG2000 = (34712, 33005)
_PACKED = (1, 5, 8, 32946, 32773, 34925, 50000)  # none, LZW, deflate twice, PackBits, LZMA, Zstandard
_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_KINDS = {(8, _UNSIGNED), (16, _UNSIGNED), (32, _UNSIGNED), (16, _FLOAT), (32, _FLOAT), (64, _FLOAT)}
_PREMULTIPLIED, _ALPHA = 1, 2  # what an extra channel is; others are infrared, say
_MOST_BYTES = 4_000_000_000  # of all channels of a page
_TILE = 1 << 24  # pixels that a tile may have in a page that is smaller
_ROWS = 256


@dataclass(frozen=True)
class Page:
    """A page, not yet decoded. Of the names that Pillow has, too, the meaning is the same."""

    directory: Directory
    format = "TIFF"
    mode = ""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), as stored."""
        return self.directory.size

    @cached_property
    def info(self) -> dict[str, Any]:
        """What it carries beside its pixels."""
        icc = b"" if _photometric(self.directory) in (_CIELAB, _ICCLAB) else self.directory.raw(tags.ICC)
        found = {"icc_profile": icc, "xmp": self.directory.raw(tags.XMP), "dpi": self.directory.dpi()}
        return {key: value for key, value in found.items() if value}


def knows(page: Directory) -> bool:
    """Whether such a page is for this module: it can read it, and Pillow would not or only to 8 bits."""
    colors, bits, kind = _COLORS.get(_photometric(page), 0), _bits(page), _sample_format(page)
    compression, samples = page.number(tags.COMPRESSION, 1), page.number(tags.SAMPLES, 1)
    if samples < colors or not colors or (bits, kind) not in _KINDS or compression not in (*_JPEG2000, *_PACKED):
        return False
    refused = page.is_big_from_the_end or compression in _JPEG2000 or _photometric(page) == _ICCLAB
    # Pillow reads gray of 16 bits too, in three times the memory; gray beside a channel only where the two alternate.
    return bits > 8 or refused or samples > colors + 1 or samples > colors == 1


def is_signed(page: Directory) -> bool:
    """Whether nobody can tell where black is; in 32 bits some programs, Pillow among them, write 0 to 65535 so."""
    return _sample_format(page) == _SIGNED and _bits(page) < 32


def layout(page: Directory) -> str:
    """In words, for one whom it concerns that such pages cannot be read."""
    bits = "/".join(dict.fromkeys(str(int(each)) for each in page.numbers(tags.BITS))) or "1"
    kind = {_FLOAT: "floats", _SIGNED: "signed bits"}.get(_sample_format(page), "bits")
    photometric = _photometric(page)
    colors = _NAMES.get(photometric, f"color type {photometric}" if photometric >= 0 else "no color type")
    form = f"{page.number(tags.SAMPLES, 1)} channels of {bits} {kind}, {colors}"
    return f"{form}, compression {page.number(tags.COMPRESSION, 1)}"


def check(page: Directory) -> None:
    """Raises ImageError where strips or tiles are missing, before anything is decoded."""
    starts = page.numbers(tags.TILES) or page.numbers(tags.STRIPS)
    counts = page.numbers(tags.TILE_BYTES) or page.numbers(tags.STRIP_BYTES)
    for number, (start, count) in enumerate(zip(starts, counts, strict=False), 1):
        if not 0 < start <= start + count <= len(page.content):
            ends = f"piece {number} of {len(starts)} of its pixels lies outside of the file"
            raise ImageError("damaged", f"{ends}: it may have been cut off")
    if not starts:
        raise ImageError("damaged", "a TIFF page does not say where its pixels are")


def read(page: Page) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Gray or RGB, uint8 or uint16 [H, W, 1 or 3], as stored; and alpha uint8 [H, W] where there is one.

    Raises:
        ImageError: strips are missing, too large, or of values that cannot be told.
        Exception: whatever the codecs raise on damage.
    """
    directory = page.directory
    check(directory)
    width, height = page.size
    colors, alpha = _COLORS[_photometric(directory)], _alpha(directory)
    samples, bits = directory.number(tags.SAMPLES, 1), _bits(directory)
    if width * height * samples * bits // 8 > _MOST_BYTES:
        raise ImageError("too_large", f"{width}x{height} of {layout(directory)} is more than {_MOST_BYTES} bytes")
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
            band[..., :colors] = _divided(band[..., :colors], band[..., colors:])
        band[..., :colors] = _meant(band[..., :colors], _photometric(directory))
    if not alpha:
        return pixels, None
    return np.ascontiguousarray(pixels[..., :colors]), (pixels[..., colors] >> 8 * (bits > 8)).astype(np.uint8)


def _blocks(file: tifffile.TiffFile, directory: Directory) -> Iterator[tuple[int, int, int | None, NDArray[Any]]]:
    """Top, left, channel (None: all) and pixels [h, w, c] of each piece of the page, of few rows."""
    page: Any = file.pages.first
    separate = page.shaped[0] > 1
    if len(page.shape) > 3:
        raise ImageError("unsupported", "a TIFF page of more than one layer")
    for top, left, channel, block in _plain(page, directory) if _is_plain(page) else _decoded(page, directory):
        for row in range(0, len(block), _ROWS):
            yield top + row, left, channel if separate else None, block[row : row + _ROWS]


def _is_plain(page: Any) -> bool:
    return bool(page.is_contiguous) and page.predictor == 1 and page.fillorder == 1


def _plain(page: Any, directory: Directory) -> Iterator[tuple[int, int, int, NDArray[Any]]]:
    """Of pixels that lie in the file as they are: no copy is made of them."""
    dtype = np.dtype(page.parent.byteorder + page.dtype.char)
    start, count = page.dataoffsets[0], math.prod(page.shaped)
    if start + count * dtype.itemsize > len(directory.content):
        raise ImageError("damaged", "the file ends before its pixels do: it may have been cut off")
    planes = np.frombuffer(directory.content, dtype, count, start).reshape(page.shaped)[:, 0]
    yield from ((0, 0, channel, plane) for channel, plane in enumerate(planes))


def _decoded(page: Any, directory: Directory) -> Iterator[tuple[int, int, int, NDArray[Any]]]:
    """Strip by strip, or tile by tile."""
    width, height = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.rowsperstrip)
    if width * height > max(_TILE, page.imagewidth * page.imagelength):
        raise ImageError("damaged", f"tiles of {width}x{height} are larger than the page")
    pieces = math.prod(page.chunked)
    if len(page.dataoffsets) < pieces or len(page.databytecounts) < pieces:
        raise ImageError("damaged", f"{len(page.dataoffsets)} of {pieces} pieces of the page are there")
    for index in range(pieces):
        start = page.dataoffsets[index]
        data = directory.content[start : start + page.databytecounts[index]]
        if page.compression in _JPEG2000:
            head = jpeg2000.codestream(data)
            if head.size[0] > width or head.size[1] > height or len(head.bits) > page.samplesperpixel:
                raise ImageError("damaged", f"a piece of {{}}x{{}} in place of {width}x{height}".format(*head.size))
        block, (channel, _, top, left, _), _ = page.decode(data, index)
        if block.dtype != page.dtype:
            raise ImageError("damaged", f"pixels of {page.dtype} come out as {block.dtype}")
        yield top, left, channel, block[0]


def _unsigned(block: NDArray[Any]) -> NDArray[Any]:
    """The same values as uint8 or uint16 of full range."""
    if block.dtype.kind == "f":
        low, high = float(block.min()), float(block.max())
        if not (low >= 0 and high <= 1):  # not a number is neither
            raise ImageError(
                "unsupported", f"floats from {low:g} to {high:g}: only 0 to 1 can be told from black to white"
            )
        block = np.rint(block.astype(np.float32) * np.float32(65535)).astype(np.uint16)
    return (block >> 16).astype(np.uint16) if block.dtype.itemsize == 4 else block


def _divided(colors: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Values that were multiplied by alpha [h, w, 1]: as they were before."""
    most = np.iinfo(colors.dtype).max
    divided: NDArray[Any] = np.rint(np.minimum(colors * (most / np.maximum(alpha, 1)), most)).astype(colors.dtype)
    return divided


def _meant(colors: NDArray[Any], photometric: int) -> NDArray[Any]:
    """Gray from black on, or sRGB."""
    if photometric == _WHITE_IS_0:
        return ~colors
    if photometric in (_CIELAB, _ICCLAB):
        return color_management.lab_to_srgb(
            _lab(colors, photometric), np.uint16 if colors.dtype == np.uint16 else np.uint8
        )
    return colors


def _lab(stored: NDArray[Any], photometric: int) -> NDArray[np.float64]:
    """L in 0..100, a and b of what is stored in 8 or 16 bits."""
    deep = stored.dtype == np.uint16
    unit = 256.0 if deep else 1.0
    ab: NDArray[np.float64] = stored[..., 1:].astype(np.float64) / unit
    if photometric == _CIELAB:  # a and b signed
        ab, white = np.where(ab < 128, ab, ab - 256), 65535.0 if deep else 255.0
    else:
        ab, white = ab - 128, 65280.0 if deep else 255.0
    return np.concatenate([stored[..., :1] * (100 / white), ab], axis=-1)


def _photometric(page: Directory) -> int:
    return page.number(tags.PHOTOMETRIC, -1)


def _bits(page: Directory) -> int:
    """Of a channel; 0 where channels differ."""
    found = set(page.numbers(tags.BITS))
    return int(found.pop()) if len(found) == 1 else 0


def _sample_format(page: Directory) -> int:
    """Where nothing or nothing definite is said, unsigned; 0 where channels differ."""
    found = set(page.numbers(tags.SAMPLE_FORMAT)) or {_UNSIGNED}
    kind = int(found.pop()) if len(found) == 1 else 0
    return _UNSIGNED if kind == _UNDEFINED else kind


def _alpha(page: Directory) -> int:
    """Which channel; 0 where none is."""
    kinds = page.numbers(tags.EXTRA_SAMPLES)
    colors = _COLORS[_photometric(page)]
    found = (colors + k for k, kind in enumerate(kinds) if kind in (_PREMULTIPLIED, _ALPHA))
    alpha = next(found, 0)
    return alpha if alpha < page.number(tags.SAMPLES, 1) else 0
