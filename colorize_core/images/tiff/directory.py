"""The directories of a TIFF file, one a page: where they are, and what their tags say.

Read here and not by Pillow, which looks for each page from the start of the file and knows fewer layouts.

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
_SUBFILE, _OLD_SUBFILE = 254, 255  # bits 1 and 4, and the value 2, for what is no page
_LONG = 4
_MOST_TAGS = 4096
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_FORMS = {  # of a value, by its type
    **{1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d"},
    **{13: "I", 16: "Q", 17: "q", 18: "Q"},
}
_INCHES = {1: 0.0, 2: 1.0, 3: 2.54}  # of the unit of resolution: none, inch, centimeter


@dataclass(frozen=True)
class Directory:
    """What a page says of itself.

    Attributes:
        content: the file.
        offset: in the file, of the directory.
        next: of the page that follows; 0 after the last.
        entries: type, number of values and their offset in the file, by tag.
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
        """By its tag, else by XMP; 1 where neither says."""
        said = _XMP_ORIENTATION.search(self.raw(XMP))
        return self.number(ORIENTATION) or (int(said[1]) if said else 1)

    @property
    def is_sideways(self) -> bool:
        """Whether width and height are to be swapped."""
        return self.orientation in SIDEWAYS

    @property
    def is_big_from_the_end(self) -> bool:
        """Whether it is of a BigTIFF file in big-endian order, which Pillow does not know."""
        return _is_big(self.content) and _order(self.content) == ">"

    @property
    def is_page(self) -> bool:
        """Whether it is a photograph: no thumbnail, no mask."""
        return not self.number(_SUBFILE) & 5 and self.number(_OLD_SUBFILE) != 2

    def raw(self, tag: int) -> bytes:
        """The values as they lie in the file; b'' where there are none."""
        kind, count, start = self.entries.get(tag, (1, 0, 0))
        return self.content[start : start + count * struct.calcsize("=" + _FORMS[kind])]

    def numbers(self, tag: int) -> tuple[float, ...]:
        """The values; of rationals both parts of each. () where there are none."""
        kind, raw = self.entries.get(tag, (1, 0, 0))[0], self.raw(tag)
        form = _FORMS[kind]
        count = len(raw) // struct.calcsize("=" + form[0])
        return struct.unpack(f"{_order(self.content)}{count}{form[0]}", raw)

    def number(self, tag: int, default: int = 0) -> int:
        """The first value."""
        found = self.numbers(tag)
        return int(found[0]) if found else default

    def dpi(self) -> tuple[float, float] | None:
        """Dots per inch, across and down, where it says so."""
        inches = _INCHES.get(self.number(RESOLUTION_UNIT, 2), 0.0)
        across, down = self.numbers(X_RESOLUTION), self.numbers(Y_RESOLUTION)
        if not inches or len(across) != 2 or len(down) != 2 or not across[1] or not down[1]:
            return None
        return across[0] / across[1] * inches, down[0] / down[1] * inches

    def iptc(self) -> bytes:
        """IPTC's records: bytes, or numbers of 32 bits in the order of the file or of the machine that wrote it."""
        raw = self.raw(IPTC)
        if self.entries.get(IPTC, (0, 0, 0))[0] != _LONG or raw[:1] == b"\x1c":
            return raw
        return b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))

    def file(self) -> io.BytesIO:
        """The file for other readers, as though it began with this page."""
        start = 8 if _is_big(self.content) else 4
        form = f"{_order(self.content)}{'Q' if start == 8 else 'I'}"
        return _FromPage(self.content, self.content[:start] + struct.pack(form, self.offset))


class _FromPage(io.BytesIO):
    """A file of which the first bytes are others; all of it is not copied for that."""

    def __init__(self, content: bytes, head: bytes) -> None:
        super().__init__(content)
        self._head = head

    def read(self, size: int | None = -1, /) -> bytes:
        at = self.tell()
        found = super().read(size)
        if at >= len(self._head):
            return found
        return self._head[at : at + len(found)] + found[len(self._head) - at :]


def is_tiff(content: bytes) -> bool:
    """Whether it begins like a TIFF file; the third and fourth byte are sometimes swapped."""
    return content[:2] in (b"II", b"MM") and content[2:4] in (b"*\0", b"\0*", b"+\0", b"\0+")


def first(content: bytes) -> int:
    """Where the first directory is."""
    return _number(content, 8, "Q") if _is_big(content) else _number(content, 4, "I")


def read(content: bytes, offset: int) -> Directory:
    """The directory that lies there. Raises ImageError where that is past the end of the file."""
    big = _is_big(content)
    entry, value, form = (20, 8, "Q") if big else (12, 4, "I")
    count = _number(content, offset, "Q" if big else "H")
    if count > _MOST_TAGS:
        raise ImageError("damaged", f"a page of the TIFF file has {count} tags: no program writes as many")
    start = offset + (8 if big else 2)
    after = start + count * entry
    if after > len(content):
        raise _past_the_end()
    following = _number(content, after, form) if after < len(content) else 0  # which some writers leave out
    entries: dict[int, tuple[int, int, int]] = {}
    for at in range(start, after, entry):
        tag, kind = (_number(content, at + skip, "H") for skip in (0, 2))
        if kind not in _FORMS:
            continue
        many = _number(content, at + 4, form)
        place = at + 4 + value
        size = many * struct.calcsize("=" + _FORMS[kind])
        if size > value:
            place = _number(content, place, form)
        if place + size <= len(content):  # a tag that is cut does not take the others with it
            entries.setdefault(tag, (kind, many, place))
    return Directory(content, offset, following, entries)


def chain(content: bytes, most: int) -> list[Directory]:
    """All directories in their order, at most ``most`` and one more. Raises ImageError as above."""
    found: dict[int, Directory] = {}
    offset = first(content)
    while offset and offset not in found and len(found) <= most:  # the last may lead back to the first
        found[offset] = read(content, offset)
        offset = found[offset].next
    return list(found.values())


def _past_the_end() -> ImageError:
    return ImageError("damaged", "the TIFF file speaks of a page that lies past its end: it may have been cut off")


def _order(content: bytes) -> str:
    return "<" if content[:1] == b"I" else ">"


def _is_big(content: bytes) -> bool:
    return b"+" in content[2:4]


def _number(content: bytes, offset: int, form: str) -> int:
    try:
        return int(struct.unpack_from(_order(content) + form, content, offset)[0])
    except (struct.error, OverflowError):
        raise _past_the_end() from None
