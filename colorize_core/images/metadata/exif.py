"""Reads and writes EXIF (JEITA CP-3451) with the types of its tags, as a block or in the tags of a TIFF file."""

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
_PARTS = (0x8769, 0x8825)  # tags that point to the directories of EXIF and GPS
_SIZE = (0xA002, 0xA003)  # tags of width and height, which the orientation may have swapped
_HELD_ELSEWHERE = (700, 33723, 34675)  # XMP, IPTC and ICC have fields of their own in Metadata
_LAYOUT = (  # how a TIFF file stores its pixels: copied into a result they would make it unreadable
    *(254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 280, 281, 284, 290, 291, 292, 293, 301, 317, 320),
    *(322, 323, 324, 325, 332, 333, 334, 336, 338, 339, 340, 341, 347, *range(512, 522), 529, 530, 532),
)
_PHOTOSHOP = (34377, 37724)  # Photoshop layers, which Photoshop would open instead of the pixels
_POINTERS = (0x014A, 0xA005)  # tags that point to directories that are left out
_DROPPED = {_ORIENTATION, *_PARTS, *_HELD_ELSEWHERE, *_LAYOUT, *_PHOTOSHOP, *_POINTERS}
_LONG = 4


@dataclass(frozen=True)
class Tag:
    """The value of a tag, and its type as a number of TIFF."""

    kind: int
    value: Any


@dataclass(frozen=True)
class Exif:
    """The EXIF tags of a file.

    Attributes:
        main: tags of the main directory, by number.
        parts: tags of further directories (EXIF, GPS), by the number of the tag that points to them.
    """

    main: Mapping[int, Tag]
    parts: Mapping[int, Mapping[int, Tag]] = field(default_factory=dict)

    def add_to(self, directory: ImageFileDirectory_v2, offset: int) -> bytes:
        """Adds the tags to the directory of a TIFF file, and returns the bytes of the parts, to which it points.

        Args:
            directory: the TIFF directory of the file.
            offset: offset in the file at which the returned bytes are to be written.
        """
        _fill(directory, self.main)
        parts = b""
        for number, tags in self.parts.items():
            part = ImageFileDirectory_v2(prefix=directory.prefix, group=number)
            _fill(part, tags)
            _fill(directory, {number: Tag(_LONG, offset + len(parts))})
            parts += part.tobytes(offset + len(parts))
        return parts

    def block(self) -> bytes:
        """Returns the tags as the block that JPEG, PNG and WebP files hold."""
        directory = ImageFileDirectory_v2(prefix=b"II")
        parts = self.add_to(directory, 8)
        return _HEAD + b"II*\0" + (8 + len(parts)).to_bytes(4, "little") + parts + directory.tobytes(8 + len(parts))


def read(raw: bytes, size: tuple[int, int], page: int = 0) -> Exif | None:
    """Reads EXIF without orientation, thumbnail and tags about stored pixels; None if no tag is left or it is broken.

    Args:
        raw: the block of a JPEG, PNG or WebP file, or a whole TIFF file.
        size: (width, height), upright.
        page: offset of the directory in a TIFF file; 0 is the first.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(raw.removeprefix(_HEAD), size, page)
    except Exception:  # a broken block is common and no reason to lose a photograph
        return None


def with_resolution(exif: Exif | None, dpi: tuple[float, float]) -> Exif:
    """Returns the EXIF with dots per inch added if it has none. WebP has no other field for the resolution."""
    if exif and RESOLUTION[0] in exif.main:
        return Exif({RESOLUTION[2]: Tag(3, 2), **exif.main}, exif.parts)  # without a unit the resolution is per inch
    across, down, unit = RESOLUTION
    added = {across: Tag(5, IFDRational(dpi[0])), down: Tag(5, IFDRational(dpi[1])), unit: Tag(3, 2)}
    return Exif({**(exif.main if exif else {}), **added}, exif.parts if exif else {})


def turned(exif: Exif) -> Exif:
    """Returns the EXIF with the resolution across and down swapped, for an image that was turned."""
    across, down, _ = RESOLUTION
    swapped = {a: exif.main[b] for a, b in ((across, down), (down, across)) if b in exif.main}
    return Exif({tag: value for tag, value in exif.main.items() if tag not in (across, down)} | swapped, exif.parts)


def _read(raw: bytes, size: tuple[int, int], page: int) -> Exif | None:
    """Reads EXIF as ``read`` does; raises many types of exceptions if it is broken."""
    file = io.BytesIO(raw)
    head, order = file.read(16 if b"+" in raw[2:4] else 8), raw[:2]  # a BigTIFF header has 16 bytes, others have 8
    head = (
        b"II+\0" + head[4:] if len(head) == 16 else head
    )  # Pillow refuses BigTIFF in big-endian order by this number, but can read it
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
    """Yields number and tag, without the tags that are dropped or broken."""
    for number in directory:
        tag = None if number in _DROPPED else _tag(directory, number)
        if tag:
            yield number, tag


def _tag(directory: ImageFileDirectory_v2, number: int) -> Tag | None:
    """Returns a tag; None if it cannot be read or written again."""
    try:
        value = directory[number]
        # Pillow reads text as Latin-1 and writes ASCII, so UTF-8 would become question marks.
        tag = Tag(directory.tagtype[number], value.encode("latin-1") if isinstance(value, str) else value)
        trial = ImageFileDirectory_v2(group=directory.group)
        _fill(trial, {number: tag})
        trial.tobytes()
    except Exception:  # one broken tag does not make the others unreadable
        return None
    return tag


def _fill(directory: ImageFileDirectory_v2, tags: Mapping[int, Tag]) -> None:
    for number, tag in tags.items():
        directory.tagtype[number] = tag.kind
        directory[number] = tag.value
