"""Reads what Pillow leaves out of JPEG 2000 files: bit depth, ICC profile, EXIF, XMP, IPTC and the end marker.

Source: ISO/IEC 15444-1, Annex A (codestream) and I (boxes); XMP Specification Part 3; exiftool's JPEG 2000 tags.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from colorize_core.errors import ImageError

_START = b"\xff\x4f\xff\x51"  # the first two markers of a codestream
_END = b"\xff\xd9"
_PADDING = 64  # bytes that may follow the end marker
_ICC_METHODS = (2, 3)
_SRGB, _GRAY = 16, 17  # numbers of color spaces
_UUIDS = {
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    b"JpgTiffExif->JP2": "exif",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
}


@dataclass(frozen=True)
class Codestream:
    """The header of a codestream, which holds the compressed pixels.

    Attributes:
        size: (width, height)
        bits: bits of each channel; 0 for a channel that is signed or has fewer pixels than the image.
    """

    size: tuple[int, int]
    bits: tuple[int, ...]


def alone(content: bytes) -> bytes:
    """Returns the codestream without its boxes, so that the decoder applies no profile; b'' if there is none."""
    if content.startswith(_START):
        return content
    return next((content[start:end] for kind, start, end in _boxes(content) if kind == b"jp2c"), b"")


def codestream(content: bytes) -> Codestream:
    """Reads the header of a codestream, with or without boxes around it. Raises ImageError if there is none."""
    start = 0
    if not content.startswith(_START):
        start = next((start for kind, start, _ in _boxes(content) if kind == b"jp2c"), 0)
    try:
        if content[start : start + 4] != _START:
            raise ImageError("damaged", "the JPEG 2000 file has no pixels: it may have been cut off")
        right, bottom, left, top, *_, count = struct.unpack_from(">8IH", content, start + 8)
        channels = struct.iter_unpack("3B", content[start + 42 : start + 42 + 3 * count])
        bits = tuple(depth + 1 if depth < 128 and across == down == 1 else 0 for depth, across, down in channels)
    except struct.error:
        raise ImageError("damaged", "the JPEG 2000 file ends in its head: it may have been cut off") from None
    return Codestream((right - left, bottom - top), bits)


def is_whole(codestream: bytes) -> bool:
    """Returns True if a codestream has its end marker, which occurs nowhere else. The decoder does not check that."""
    return _END in codestream[-_PADDING:]


def depth(content: bytes) -> int:
    """Returns the bits per channel of gray or sRGB pixels; 0 for other color spaces, which Pillow converts."""
    for kind, start, end in _header(content):
        if kind == b"pclr" or (kind == b"colr" and _number(content[start:end]) not in (None, _SRGB, _GRAY)):
            return 0
    bits = codestream(content).bits
    return bits[0] if len(bits) <= 4 and len(set(bits)) == 1 else 0


def metadata(content: bytes) -> dict[Any, Any]:
    """Returns ``icc_profile``, ``exif``, ``xmp`` and ``iptc`` of the file, as far as it has them."""
    info: dict[Any, Any] = {}
    for kind, start, end in _header(content):
        if kind == b"colr" and content[start] in _ICC_METHODS:
            info["icc_profile"] = content[start + 3 : end]
    for kind, start, end in _boxes(content):
        name = _UUIDS.get(content[start : start + 16]) if kind == b"uuid" else None
        if name:
            info[name] = content[start + 16 : end]
    return info


def _number(color: bytes) -> int | None:
    """Returns the number of the color space in a ``colr`` box; None if the box holds an ICC profile."""
    return int.from_bytes(color[3:7], "big") if color[0] not in _ICC_METHODS else None


def _header(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yields the boxes in the ``jp2h`` box, which describes the image, without empty ones."""
    for kind, start, end in _boxes(content):
        if kind == b"jp2h":
            yield from (box for box in _boxes(content, start, end) if box[1] < box[2])


def _boxes(content: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yields kind, start and end of the content of each box; nothing for a codestream without boxes."""
    end = len(content) if end is None else end
    while start + 8 <= end and not content.startswith(_START):
        length, kind = int.from_bytes(content[start : start + 4], "big"), content[start + 4 : start + 8]
        head = 8
        if length == 1:
            length, head = int.from_bytes(content[start + 8 : start + 16], "big"), 16
        stop = start + length if length else end
        if stop < start + head or stop > end:
            return
        yield kind, start + head, stop
        start = stop
