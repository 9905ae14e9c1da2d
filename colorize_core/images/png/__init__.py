"""Writes PNG files with libpng; large images in bands.

Source: PNG (third edition), 5.3 for chunks, 9 for filters, 10 for the one zlib stream of the pixels.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO, Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from colorize_core.images.lazy_image import LazyImage, bands, is_large, to_array

_HEAD = 8 + 12 + 13  # signature and IHDR
_HEIGHT = slice(20, 24)  # bytes of IHDR
_PIXELS, _END = b"IDAT", b"IEND"


def encode(pixels: LazyImage | NDArray[Any], level: int = 1) -> bytes:
    """Returns a PNG file of uint8 or uint16, [H, W] or [H, W, 3 or 4], with all pixels in memory.

    Args:
        pixels: the pixels to encode.
        level: level of deflate, 0 (fast) to 9 (small).
    """
    return bytes(imagecodecs.png_encode(to_array(pixels), level=level))


def write(file: IO[bytes], pixels: LazyImage | NDArray[Any], level: int, metadata: bytes) -> None:
    """Writes a PNG file; a large image is computed, filtered and packed in bands.

    Args:
        file: an empty binary file.
        pixels: uint8 or uint16, [H, W] or [H, W, 3 or 4].
        level: level of deflate, 0 (fast) to 9 (small).
        metadata: another PNG file, whose chunks are copied except for head, pixels and end.
    """
    copied = [chunk for kind, chunk in _chunks(metadata) if kind not in (_PIXELS, _END)]
    if not is_large(pixels):
        encoded = memoryview(encode(pixels, level))
        file.writelines([encoded[:_HEAD], *copied, encoded[_HEAD:]])
        return
    file.writelines([_head(pixels), *copied])
    compressor = zlib.compressobj(level)
    for rows in _filtered(pixels):
        file.write(_chunk(_PIXELS, compressor.compress(rows.data)))
    file.write(_chunk(_PIXELS, compressor.flush()))
    file.write(_chunk(_END, b""))


def _head(pixels: LazyImage | NDArray[Any]) -> bytes:
    """Returns signature and IHDR: encodes the first row as a file, and puts in the height of the whole image."""
    head = bytearray(imagecodecs.png_encode(pixels[:1], level=0)[:_HEAD])
    head[_HEIGHT] = pixels.shape[0].to_bytes(4, "big")
    return bytes(head[:8]) + _chunk(b"IHDR", head[16:-4])


def _filtered(pixels: LazyImage | NDArray[Any]) -> Iterator[NDArray[np.uint8]]:
    """Yields bands of filtered rows uint8 [h, 1 + bytes of a row], as they go into the zlib stream.

    libpng filters each band as a file of its own, not packed; all bands are then packed as one stream. A filter uses
    the row above, so each band except the first is preceded by the last row of the band before, which is dropped.
    """
    row_above = pixels[:0]
    for band in bands(pixels):
        rows = pixels[band]
        packed = imagecodecs.png_encode(np.concatenate([row_above, rows]), level=0)
        stream = zlib.decompress(b"".join(chunk[8:-4] for kind, chunk in _chunks(packed) if kind == _PIXELS))
        filtered = np.frombuffer(stream, np.uint8).reshape(len(row_above) + len(rows), -1)
        yield filtered[len(row_above) :]
        row_above = rows[-1:]


def _chunks(file: bytes | bytearray) -> Iterator[tuple[bytes, memoryview]]:
    """Yields kind and bytes of each chunk of a PNG file after its head."""
    view, start = memoryview(file), _HEAD
    while start < len(view):
        end = start + 12 + int.from_bytes(view[start : start + 4], "big")
        yield bytes(view[start + 4 : start + 8]), view[start:end]
        start = end


def _chunk(kind: bytes, content: bytes | bytearray) -> bytes:
    """Returns a chunk with its length and checksum."""
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(content, zlib.crc32(kind)).to_bytes(4, "big")
