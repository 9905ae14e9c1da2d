"""Reads the directories of a TIFF file, one per page, and the values of their tags.

Pillow walks from the start of the file to each page, and knows fewer layouts. tifffile takes five times as long, never
ends on a chain of pages that leads back to its start, and does not tell if a file was cut off between two pages.

Source: TIFF 6.0, section 2; for BigTIFF the description of Aware Systems.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from colorize_core.errors import ImageError

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION = 256, 257, 258, 259, 262, 274
SAMPLES, EXTRA_SAMPLES, SAMPLE_FORMAT = 277, 338, 339
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
XMP, IPTC, ICC = 700, 33723, 34675
STRIPS, STRIP_BYTES, TILES, TILE_BYTES = 273, 279, 324, 325
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height
_SUBFILE, _OLD_SUBFILE = 254, 255  # bits 1 and 4, or the value 2, mark a thumbnail or mask
_LONG = 4
_MAX_TAGS = 4096
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_VALUE_FORMS = {  # formats of struct, by type of tag
    **{1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d"},
    **{13: "I", 16: "Q", 17: "q", 18: "Q"},
}
_PER_INCH = {1: 0.0, 2: 1.0, 3: 2.54}  # resolution units in an inch: none, inch, centimeter


@dataclass(frozen=True)
class Directory:
    """The directory of one page: its tags.

    Attributes:
        content: the file.
        offset: offset of the directory in the file.
        next: offset of the next directory; 0 after the last.
        entries: type, number of values, and offset of the values in the file, by tag.
    """

    content: bytes = field(repr=False)
    offset: int
    next: int
    entries: Mapping[int, tuple[int, int, int]]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), as stored."""
        return self.number(WIDTH), self.number(HEIGHT)

    @property
    def orientation(self) -> int:
        """EXIF orientation, 1 to 8, from the tag, else from XMP, else 1 (upright)."""
        match = _XMP_ORIENTATION.search(self.raw(XMP))
        return self.number(ORIENTATION) or (int(match[1]) if match else 1)

    @property
    def is_sideways(self) -> bool:
        """True if width and height must be swapped."""
        return self.orientation in SIDEWAYS

    @property
    def is_big_endian_bigtiff(self) -> bool:
        """True for a BigTIFF file in big-endian order, which Pillow does not know."""
        return _is_big(self.content) and _order(self.content) == ">"

    @property
    def is_page(self) -> bool:
        """True for a photograph, False for a thumbnail or mask."""
        return not self.number(_SUBFILE) & 5 and self.number(_OLD_SUBFILE) != 2

    def raw(self, tag: int) -> bytes:
        """Returns the bytes of a tag's values in the file; b'' if there are none."""
        kind, count, start = self.entries.get(tag, (1, 0, 0))
        return self.content[start : start + count * struct.calcsize("=" + _VALUE_FORMS[kind])]

    def numbers(self, tag: int) -> tuple[float, ...]:
        """Returns the values of a tag, two numbers for a rational; () if there are none."""
        kind, raw = self.entries.get(tag, (1, 0, 0))[0], self.raw(tag)
        form = _VALUE_FORMS[kind]
        count = len(raw) // struct.calcsize("=" + form[0])
        return struct.unpack(f"{_order(self.content)}{count}{form[0]}", raw)

    def number(self, tag: int, default: int = 0) -> int:
        """Returns the first value of a tag as a whole number."""
        values = self.numbers(tag)
        return int(values[0]) if values else default

    def dpi(self) -> tuple[float, float] | None:
        """Returns dots per inch, across and down; None if the tags do not say it."""
        per_inch = _PER_INCH.get(self.number(RESOLUTION_UNIT, 2), 0.0)
        across, down = self.numbers(X_RESOLUTION), self.numbers(Y_RESOLUTION)
        if not per_inch or len(across) != 2 or len(down) != 2 or not across[1] or not down[1]:
            return None
        return across[0] / across[1] * per_inch, down[0] / down[1] * per_inch

    def iptc(self) -> bytes:
        """Returns IPTC records, also of files with 32-bit numbers in the byte order of the file or of a machine."""
        raw = self.raw(IPTC)
        if self.entries.get(IPTC, (0, 0, 0))[0] != _LONG or raw[:1] == b"\x1c":
            return raw
        return b"".join(raw[k : k + 4][::-1] for k in range(0, len(raw), 4))

    def file(self) -> io.BytesIO:
        """Returns the file for other readers, with a header that points to this page as the first."""
        start = 8 if _is_big(self.content) else 4
        form = f"{_order(self.content)}{'Q' if start == 8 else 'I'}"
        return _FromPage(self.content, self.content[:start] + struct.pack(form, self.offset))


class _FromPage(io.BytesIO):
    """A file object that shows a file with other first bytes, without a copy of the rest."""

    def __init__(self, content: bytes, head: bytes) -> None:
        super().__init__(content)
        self._head = head

    def read(self, size: int | None = -1, /) -> bytes:
        start = self.tell()
        data = super().read(size)
        if start >= len(self._head):
            return data
        return self._head[start : start + len(data)] + data[len(self._head) - start :]


def is_tiff(content: bytes) -> bool:
    """Returns True if a file begins like a TIFF file. Some TIFF files have the third and fourth byte swapped."""
    return content[:2] in (b"II", b"MM") and content[2:4] in (b"*\0", b"\0*", b"+\0", b"\0+")


def first(content: bytes) -> int:
    """Returns the offset of the first directory. Raises ImageError if the file ends before it says so."""
    return _number(content, 8, "Q") if _is_big(content) else _number(content, 4, "I")


def read(content: bytes, offset: int) -> Directory:
    """Reads the directory at an offset. Raises ImageError if it lies past the end of the file or is too long."""
    big = _is_big(content)
    entry_bytes, inline_bytes, form = (20, 8, "Q") if big else (12, 4, "I")
    count = _number(content, offset, "Q" if big else "H")
    if count > _MAX_TAGS:
        raise ImageError("damaged", f"a page of the TIFF file has {count} tags: no program writes as many")
    start = offset + (8 if big else 2)
    end = start + count * entry_bytes
    if end > len(content):
        raise _past_the_end()
    following = _number(content, end, form) if end < len(content) else 0  # some writers leave it out
    entries: dict[int, tuple[int, int, int]] = {}
    for entry in range(start, end, entry_bytes):
        tag, kind = _number(content, entry, "H"), _number(content, entry + 2, "H")
        if kind not in _VALUE_FORMS:
            continue
        values = _number(content, entry + 4, form)
        size = values * struct.calcsize("=" + _VALUE_FORMS[kind])
        where = entry + 4 + inline_bytes
        if size > inline_bytes:
            where = _number(content, where, form)
        if where + size <= len(content):  # a tag that is cut off does not make the others unreadable
            entries.setdefault(tag, (kind, values, where))
    return Directory(content, offset, following, entries)


def chain(content: bytes, limit: int) -> list[Directory]:
    """Reads all directories in their order, but stops after ``limit`` + 1. Raises ImageError as ``read`` does."""
    directories: dict[int, Directory] = {}
    offset = first(content)
    while offset and offset not in directories and len(directories) <= limit:  # the last may lead back to the first
        directories[offset] = read(content, offset)
        offset = directories[offset].next
    return list(directories.values())


def _past_the_end() -> ImageError:
    """Returns the error for an offset that lies outside the file."""
    return ImageError("damaged", "the TIFF file speaks of a page that lies past its end: it may have been cut off")


def _order(content: bytes) -> str:
    return "<" if content[:1] == b"I" else ">"


def _is_big(content: bytes) -> bool:
    return b"+" in content[2:4]


def _number(content: bytes, offset: int, form: str) -> int:
    """Reads a number at an offset; ``form`` is a format of struct. Raises ImageError past the end of the file."""
    try:
        return int(struct.unpack_from(_order(content) + form, content, offset)[0])
    except (struct.error, OverflowError):
        raise _past_the_end() from None
