"""Pixels to a PNG file, by libpng; of large images band by band.

Source: PNG (third edition), 5.3 for chunks, 9 for filters, 10 for the one zlib stream of the pixels.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO, Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from colorize_core.images.lazy_image import LazyImage, bands, whole

_HEAD = 8 + 12 + 13  # signature and IHDR
_HEIGHT = slice(20, 24)  # in it
_PIXELS, _END = b"IDAT", b"IEND"


def encode(pixels: LazyImage | NDArray[Any], level: int = 1, described: bytes = b"") -> bytes:
    """A PNG file: the fastest way, with all pixels in memory.

    Args:
        pixels: uint8 or uint16, [H, W] or [H, W, 3 or 4].
        level: of deflate, 0 to 9.
        described: a PNG file whose chunks beside head, pixels and end are to be in it.
    """
    encoded = memoryview(imagecodecs.png_encode(whole(pixels), level=level))
    return b"".join([encoded[:_HEAD], *_beside(described), encoded[_HEAD:]])


def write(file: IO[bytes], pixels: LazyImage | NDArray[Any], level: int = 1, described: bytes = b"") -> None:
    """The same pixels and chunks, band by band."""
    file.write(_head(pixels))
    file.writelines(_beside(described))
    packer = zlib.compressobj(level)
    for rows in _filtered(pixels):
        file.write(_chunk(_PIXELS, packer.compress(rows.data)))
    file.write(_chunk(_PIXELS, packer.flush()))
    file.write(_chunk(_END, b""))


def _beside(described: bytes) -> list[memoryview]:
    return [chunk for kind, chunk in _chunks(described) if kind not in (_PIXELS, _END)]


def _head(pixels: LazyImage | NDArray[Any]) -> bytes:
    """Signature and IHDR: those of the first row alone, with the height of all."""
    head = bytearray(imagecodecs.png_encode(pixels[:1], level=0)[:_HEAD])
    head[_HEIGHT] = pixels.shape[0].to_bytes(4, "big")
    return bytes(head[:8]) + _chunk(b"IHDR", head[16:-4])


def _filtered(pixels: LazyImage | NDArray[Any]) -> Iterator[NDArray[np.uint8]]:
    """The rows as they go into the stream, filtered by libpng, which packs them loosely here, to be packed together.

    A filter takes a row's neighbor above: each band but the first has it as a first row, which is dropped.
    """
    last = pixels[:0]
    for band in bands(pixels):
        rows = pixels[band]
        packed = imagecodecs.png_encode(np.concatenate([last, rows]), level=0)
        stream = zlib.decompress(b"".join(chunk[8:-4] for kind, chunk in _chunks(packed) if kind == _PIXELS))
        filtered = np.frombuffer(stream, np.uint8).reshape(len(last) + len(rows), -1)
        yield filtered[len(last) :]
        last = rows[-1:]


def _chunks(file: bytes | bytearray) -> Iterator[tuple[bytes, memoryview]]:
    """Of a PNG file, after its head: kind and whole chunk."""
    view, at = memoryview(file), _HEAD
    while at < len(view):
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        yield bytes(view[at + 4 : at + 8]), view[at:end]
        at = end


def _chunk(kind: bytes, content: bytes | bytearray) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(content, zlib.crc32(kind)).to_bytes(4, "big")
