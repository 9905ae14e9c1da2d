"""EXIF blocks (JEITA CP-3451): read with the types of their tags, written again, also into the tags of a TIFF file."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

_HEAD = b"Exif\0\0"
_ORIENTATION = 0x0112
RESOLUTION = (0x011A, 0x011B, 0x0128)  # across, down, unit: 2 is the inch
_PARTS = (0x8769, 0x8825)  # EXIF and GPS, each a directory of its own
_SIZE = (0xA002, 0xA003)  # width and height, which the orientation may have swapped
_KEPT_APART = (700, 33723, 34675)  # XMP, IPTC, ICC
_LAYOUT = (  # how a TIFF file lays out its pixels: that of another file would make ours unreadable
    *(254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 280, 281, 284, 290, 291, 292, 293, 301, 317, 320),
    *(322, 323, 324, 325, 332, 333, 334, 336, 338, 339, 340, 341, 347, *range(512, 522), 529, 530, 532),
)
_PHOTOSHOP = (34377, 37724)  # its own data: layers, which it would open instead of the pixels
_POINTERS = (0x014A, 0xA005)  # to directories that are left out
_DROPPED = {_ORIENTATION, *_PARTS, *_KEPT_APART, *_LAYOUT, *_PHOTOSHOP, *_POINTERS}
_LONG = 4


@dataclass(frozen=True)
class Tag:
    """A value and its type, as TIFF numbers them."""

    kind: int
    value: Any


@dataclass(frozen=True)
class Exif:
    """Tags by number: of the main directory, and of its parts by their own number."""

    main: Mapping[int, Tag]
    parts: Mapping[int, Mapping[int, Tag]] = field(default_factory=dict)

    def add_to(self, directory: ImageFileDirectory_v2, offset: int) -> bytes:
        """Adds the tags to a TIFF file's directory.

        Args:
            directory: to which.
            offset: in the file, of what this gives: the parts, which the directory then points to.
        """
        _fill(directory, self.main)
        written = b""
        for number, tags in self.parts.items():
            part = ImageFileDirectory_v2(prefix=directory.prefix, group=number)
            _fill(part, tags)
            _fill(directory, {number: Tag(_LONG, offset + len(written))})
            written += part.tobytes(offset + len(written))
        return written

    def block(self) -> bytes:
        """As JPEG, PNG and WebP files carry it."""
        directory = ImageFileDirectory_v2(prefix=b"II")
        parts = self.add_to(directory, 8)
        return _HEAD + b"II*\0" + (8 + len(parts)).to_bytes(4, "little") + parts + directory.tobytes(8 + len(parts))


def read(raw: bytes, size: tuple[int, int], page: int = 0) -> Exif | None:
    """Without the orientation, the thumbnail, and what a TIFF file says of its pixels; None where nothing is left.

    Args:
        raw: the block of a JPEG, PNG or WebP file, or a whole TIFF file.
        size: (width, height), upright.
        page: where the directory is in a TIFF file; the first unless given.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(raw.removeprefix(_HEAD), size, page)
    except Exception:  # a broken block is common and no reason to lose a photograph
        return None


def with_resolution(exif: Exif | None, dpi: tuple[float, float]) -> Exif:
    """The same with dots per inch, where it has none: a WebP file has no other place for them."""
    if exif and RESOLUTION[0] in exif.main:
        return Exif({RESOLUTION[2]: Tag(3, 2), **exif.main}, exif.parts)  # inches are what it means without a unit
    across, down, unit = RESOLUTION
    added = {across: Tag(5, IFDRational(dpi[0])), down: Tag(5, IFDRational(dpi[1])), unit: Tag(3, 2)}
    return Exif({**(exif.main if exif else {}), **added}, exif.parts if exif else {})


def turned(exif: Exif) -> Exif:
    """The same of an image whose sides were swapped: its resolution."""
    across, down, _ = RESOLUTION
    swapped = {a: exif.main[b] for a, b in ((across, down), (down, across)) if b in exif.main}
    return Exif({tag: value for tag, value in exif.main.items() if tag not in (across, down)} | swapped, exif.parts)


def _read(raw: bytes, size: tuple[int, int], page: int) -> Exif | None:
    file = io.BytesIO(raw)
    head, order = file.read(16 if b"+" in raw[2:4] else 8), raw[:2]  # of a BigTIFF file, and of all others
    head = b"II+\0" + head[4:] if len(head) == 16 else head  # Pillow knows none in big-endian order, but reads it
    directory = ImageFileDirectory_v2(head, prefix=order)
    file.seek(page or directory.next)
    directory.load(file)
    main = dict(_tags(directory))
    parts: dict[int, dict[int, Tag]] = {}
    for number in _PARTS:
        if number in directory:
            part = ImageFileDirectory_v2(head, prefix=order, group=number)
            file.seek(directory[number])
            part.load(file)
            tags = dict(_tags(part))
            tags |= {tag: Tag(_LONG, n) for tag, n in zip(_SIZE, size, strict=True) if tag in tags}
            parts |= {number: tags} if tags else {}
    return Exif(main, parts) if main or parts else None


def _tags(directory: ImageFileDirectory_v2) -> Iterator[tuple[int, Tag]]:
    for number in directory:
        tag = None if number in _DROPPED else _tag(directory, number)
        if tag:
            yield number, tag


def _tag(directory: ImageFileDirectory_v2, number: int) -> Tag | None:
    try:
        value = directory[number]
        # Pillow reads text as Latin-1 and writes it as ASCII: UTF-8 would come out as question marks.
        tag = Tag(directory.tagtype[number], value.encode("latin-1") if isinstance(value, str) else value)
        alone = ImageFileDirectory_v2(group=directory.group)
        _fill(alone, {number: tag})
        alone.tobytes()
    except Exception:  # one broken tag does not take the others with it
        return None
    return tag


def _fill(directory: ImageFileDirectory_v2, tags: Mapping[int, Tag]) -> None:
    for number, tag in tags.items():
        directory.tagtype[number] = tag.kind
        directory[number] = tag.value
