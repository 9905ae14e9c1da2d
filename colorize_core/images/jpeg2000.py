"""What a JPEG 2000 file says beside its pixels, which Pillow leaves out.

Source: ISO/IEC 15444-1, Annex A (codestream) and I (boxes); XMP Specification Part 3; exiftool's JPEG 2000 tags.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from colorize_core.errors import ImageError

_BEGINNING = b"\xff\x4f\xff\x51"  # of a codestream: its first two markers
_END = b"\xff\xd9"
_PADDING = 64  # bytes that may follow
_ICC_METHODS = (2, 3)
_SRGB, _GRAY = 16, 17  # of the color spaces with a number
_UUIDS = {
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    b"JpgTiffExif->JP2": "exif",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
}


@dataclass(frozen=True)
class Codestream:
    """The head of the compressed pixels.

    Attributes:
        size: (width, height)
        bits: of each channel; 0 of one that is signed or has fewer pixels than the image.
    """

    size: tuple[int, int]
    bits: tuple[int, ...]


def alone(content: bytes) -> bytes:
    """The codestream without the boxes around it, whose profile the decoder would apply; b'' where there is none."""
    if content.startswith(_BEGINNING):
        return content
    return next((content[start:end] for kind, start, end in _boxes(content) if kind == b"jp2c"), b"")


def codestream(content: bytes) -> Codestream:
    """Of a file, or of a codestream alone. Raises ImageError where there is none."""
    start = 0
    if not content.startswith(_BEGINNING):
        start = next((start for kind, start, _ in _boxes(content) if kind == b"jp2c"), 0)
    try:
        if content[start : start + 4] != _BEGINNING:
            raise ImageError("damaged", "the JPEG 2000 file has no pixels: it may have been cut off")
        right, bottom, left, top, *_, count = struct.unpack_from(">8IH", content, start + 8)
        channels = struct.iter_unpack("3B", content[start + 42 : start + 42 + 3 * count])
        bits = tuple(depth + 1 if depth < 128 and across == down == 1 else 0 for depth, across, down in channels)
    except struct.error:
        raise ImageError("damaged", "the JPEG 2000 file ends in its head: it may have been cut off") from None
    return Codestream((right - left, bottom - top), bits)


def is_whole(codestream: bytes) -> bool:
    """Whether it has its end marker, which stands nowhere else, and for which the decoder does not ask."""
    return _END in codestream[-_PADDING:]


def depth(content: bytes) -> int:
    """Bits of each channel where those are gray or RGB as they are; 0 where they need more of Pillow's care."""
    for kind, start, end in _header(content):
        if kind == b"pclr" or (kind == b"colr" and _number(content[start:end]) not in (None, _SRGB, _GRAY)):
            return 0
    bits = codestream(content).bits
    return bits[0] if len(bits) <= 4 and len(set(bits)) == 1 else 0


def described(content: bytes) -> dict[Any, Any]:
    """The file's ``icc_profile``, ``exif``, ``xmp`` and ``iptc``, where it has them."""
    found: dict[Any, Any] = {}
    for kind, start, end in _header(content):
        if kind == b"colr" and content[start] in _ICC_METHODS:
            found["icc_profile"] = content[start + 3 : end]
    for kind, start, end in _boxes(content):
        name = _UUIDS.get(content[start : start + 16]) if kind == b"uuid" else None
        if name:
            found[name] = content[start + 16 : end]
    return found


def _number(color: bytes) -> int | None:
    """The color space of a box, where that has a number and no profile."""
    return int.from_bytes(color[3:7], "big") if color[0] not in _ICC_METHODS else None


def _header(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The boxes in the one that describes the image, but for empty ones."""
    for kind, start, end in _boxes(content):
        if kind == b"jp2h":
            yield from (box for box in _boxes(content, start, end) if box[1] < box[2])


def _boxes(content: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Kind of each box, and from where to where what is in it lies; none of a codestream alone."""
    end = len(content) if end is None else end
    while start + 8 <= end and not content.startswith(_BEGINNING):
        length, kind = int.from_bytes(content[start : start + 4], "big"), content[start + 4 : start + 8]
        head = 8
        if length == 1:
            length, head = int.from_bytes(content[start + 8 : start + 16], "big"), 16
        stop = start + length if length else end
        if stop < start + head or stop > end:
            return
        yield kind, start + head, stop
        start = stop
