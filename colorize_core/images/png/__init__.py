"""Writes PNG files, in bands.

Every row has the same filter: the one of three that packs a sample of rows best. A filter per row, as libpng chooses
it, saves 3 % at most and takes half of its time. The level 1 is packed by ISA-L, five times faster than zlib; but
drawings and print, in which ISA-L misses repetitions, by zlib.

Source: PNG (third edition), 5.3 for chunks, 9 for filters, 10 for the one zlib stream of the pixels.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import IO, Any, Protocol

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from colorize_core.images.lazy_image import LazyImage, bands, is_large, to_array

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPES = {1: 0, 3: 2, 4: 6}  # of IHDR, by channels
_NONE, _SUB, _UP = 0, 1, 2  # filters
_ISAL_LEVEL = 2
_SAMPLES = 8  # places in the image
_SAMPLE_BYTES, _SAMPLE_PART = 128 << 10, 6  # at most this many bytes, and one in so many rows
_ADVANTAGE = 0.95  # zlib packs what it makes smaller than this, compared with ISA-L


class _Compressor(Protocol):
    def compress(self, data: Any, /) -> bytes: ...

    def flush(self) -> bytes: ...


def encode(pixels: LazyImage | NDArray[Any], level: int = 1) -> bytes:
    """Returns a PNG file of uint8 or uint16, [H, W] or [H, W, 3 or 4].

    Args:
        pixels: the pixels to encode.
        level: level of deflate, 0 (fast) to 9 (small).
    """
    file = io.BytesIO()
    write(file, pixels, level)
    return file.getvalue()


def write(file: IO[bytes], pixels: LazyImage | NDArray[Any], level: int, metadata: bytes = b"") -> None:
    """Writes a PNG file; a large image is computed, filtered and packed in bands.

    Args:
        file: an empty binary file.
        pixels: uint8 or uint16, [H, W] or [H, W, 3 or 4].
        level: level of deflate, 0 (fast) to 9 (small).
        metadata: another PNG file, whose chunks are copied except for head, pixels and end.
    """
    if not is_large(pixels):
        pixels = to_array(pixels)
    copied = [chunk for kind, chunk in _chunks(metadata) if kind not in (b"IHDR", b"IDAT", b"IEND")]
    file.writelines([_SIGNATURE, _head(pixels), *copied])
    filter_number, compressor = _packing(pixels, level)
    for rows in _filtered(pixels, filter_number):
        if packed := compressor.compress(rows.data):
            file.write(_chunk(b"IDAT", packed))
    file.write(_chunk(b"IDAT", compressor.flush()))
    file.write(_chunk(b"IEND", b""))


def _head(pixels: LazyImage | NDArray[Any]) -> bytes:
    """Returns the chunk IHDR."""
    height, width, *channels = pixels.shape
    sizes = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    kind = [8 * pixels.dtype.itemsize, _COLOR_TYPES[channels[0] if channels else 1], 0, 0, 0]
    return _chunk(b"IHDR", sizes + bytes(kind))


def _packing(pixels: LazyImage | NDArray[Any], level: int) -> tuple[int, _Compressor]:
    """Returns the number of the filter, and the compressor, that pack a sample of rows best."""
    if level == 0:
        return _NONE, zlib.compressobj(0)
    sample = list(_sample(pixels))
    packed = {}
    for number in (_NONE, _SUB, _UP):
        rows = np.concatenate([_filter(part, number)[1:] for part in sample]).data
        packed[number] = len(isal_zlib.compress(rows, _ISAL_LEVEL)), rows
    best = min(packed, key=lambda number: packed[number][0])
    size, rows = packed[best]
    if level == 1 and len(zlib.compress(rows, 1)) > _ADVANTAGE * size:
        return best, isal_zlib.compressobj(_ISAL_LEVEL)
    return best, zlib.compressobj(level)


def _sample(pixels: LazyImage | NDArray[Any]) -> Iterator[NDArray[np.uint8]]:
    """Yields bytes of neighboring rows, [h, w, bytes of a pixel], of which the first is the one above a sample."""
    height, bytes_of_row = pixels.shape[0], _bytes_of(pixels[:1]).size
    rows = max(1, min(_SAMPLE_BYTES // bytes_of_row, height // _SAMPLE_PART) // _SAMPLES)
    for top in np.linspace(0, max(0, height - rows - 1), _SAMPLES).astype(int):
        yield _bytes_of(pixels[top : top + rows + 1])


def _filtered(pixels: LazyImage | NDArray[Any], number: int) -> Iterator[NDArray[np.uint8]]:
    """Yields bands of filtered rows uint8 [h, 1 + bytes of a row], as they go into the zlib stream."""
    row_above = None
    for band in bands(pixels):
        rows = _bytes_of(pixels[band])
        yield _filter(rows, number, row_above)
        row_above = rows[-1]


def _bytes_of(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """Returns the bytes of pixels [h, w] or [h, w, c], in PNG's order, as [h, w, bytes of a pixel]."""
    if rows.dtype == np.uint16:
        rows = rows.astype(">u2")
    return np.ascontiguousarray(rows).view(np.uint8).reshape(*rows.shape[:2], -1)


def _filter(rows: NDArray[np.uint8], number: int, row_above: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Returns rows [h, w, bytes of a pixel] as [h, 1 + bytes of a row]; above the first row are zeros by default."""
    height, width, pixel_bytes = rows.shape
    filtered = np.empty((height, 1 + width * pixel_bytes), np.uint8)
    filtered[:, 0] = number
    flat, out = rows.reshape(height, -1), filtered[:, 1:]
    if number == _UP:
        out[0] = flat[0] if row_above is None else flat[0] - row_above.reshape(-1)
        np.subtract(flat[1:], flat[:-1], out=out[1:])
    elif number == _SUB:
        out[:, :pixel_bytes] = flat[:, :pixel_bytes]
        np.subtract(flat[:, pixel_bytes:], flat[:, :-pixel_bytes], out=out[:, pixel_bytes:])
    else:
        out[:] = flat
    return filtered


def _chunks(file: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yields kind and bytes of each chunk of a PNG file."""
    view, start = memoryview(file), len(_SIGNATURE)
    while start < len(view):
        end = start + 12 + int.from_bytes(view[start : start + 4], "big")
        yield bytes(view[start + 4 : start + 8]), view[start:end]
        start = end


def _chunk(kind: bytes, content: bytes) -> bytes:
    """Returns a chunk with its length and checksum."""
    checksum = isal_zlib.crc32(content, isal_zlib.crc32(kind))
    return len(content).to_bytes(4, "big") + kind + content + checksum.to_bytes(4, "big")
