"""Metadata of image files: EXIF, resolution, ICC profile, IPTC and XMP."""

from __future__ import annotations

from dataclasses import dataclass

from colorize_core.images import color_management, layouts
from colorize_core.images.layouts import Opened
from colorize_core.images.metadata import exif, iptc
from colorize_core.images.tiff import directory
from colorize_core.images.tiff.pages import Page

_MAX_DPI = 65_535  # the limit of JPEG. Pillow gives 1 for a TIFF file without resolution, NaN for a division by 0.


@dataclass(frozen=True)
class Metadata:
    """The metadata of an image file. A field is None if the file does not have it.

    Attributes:
        exif: the EXIF tags, without the orientation, which has been applied to the pixels.
        dpi: dots per inch, across and down, upright.
        icc: an RGB profile. A profile of gray or CMYK does not describe RGB results, and is left out.
        iptc: IPTC records (IIM 4).
        xmp: the XMP packet.
    """

    exif: exif.Exif | None = None
    dpi: tuple[float, float] | None = None
    icc: bytes | None = None
    iptc: bytes | None = None
    xmp: bytes | None = None


def read_metadata(image: Opened, content: bytes, size: tuple[int, int]) -> Metadata:
    """Reads the metadata of a decoded image; what cannot be parsed is left out, since the pixels matter more.

    Args:
        image: decoded from ``content``.
        content: the file.
        size: (width, height), upright.
    """
    stated = image.info.get("dpi")
    dpi = (float(stated[0]), float(stated[1])) if stated and all(1 < d <= _MAX_DPI for d in stated) else None
    page = _page(image, content)
    tags = exif.read(content, size, page.offset) if page else exif.read(image.info.get("exif", b""), size)
    if page.is_sideways if page else layouts.is_sideways(image):
        dpi, tags = dpi and dpi[::-1], tags and exif.turned(tags)
    icc = image.info.get("icc_profile")
    return Metadata(
        exif=exif.with_resolution(tags, dpi) if dpi else tags,
        dpi=dpi,
        icc=icc if color_management.space(icc) == "RGB" else None,
        iptc=iptc.read(image, page),
        xmp=_xmp(image),
    )


def tiff_tags(metadata: Metadata) -> dict[int, exif.Tag]:
    """Returns the tags of a TIFF file for XMP, IPTC and the ICC profile, by number."""
    tags = {
        directory.XMP: (1, metadata.xmp),
        directory.IPTC: (7, metadata.iptc),
        directory.ICC: (7, metadata.icc),
    }
    return {number: exif.Tag(kind, value) for number, (kind, value) in tags.items() if value}


def _page(image: Opened, content: bytes) -> directory.Directory | None:
    """Returns the directory of a TIFF page; None for other formats."""
    if isinstance(image, Page):
        return image.directory
    tags = getattr(image, "tag_v2", None)
    return directory.read(content, tags.offset) if tags is not None and image.format == "TIFF" else None


def _xmp(image: Opened) -> bytes | None:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(packet, str):
        return packet.encode()
    return bytes(packet) if isinstance(packet, bytes) else None
