"""IPTC's records (IIM 4.2), as JPEG, PNG and TIFF files carry them."""

from __future__ import annotations

import struct
from typing import Any

from colorize_core.images.layouts import Opened
from colorize_core.images.png import text_profiles
from colorize_core.images.tiff.directory import Directory

_IPTC_RESOURCE = 0x0404  # in Adobe's "image resources", which carry IPTC's records in JPEG and PNG
_MARKER = 0x1C  # with which each record begins
_PNG_IPTC = "Raw profile type iptc"  # ImageMagick's key, which exiftool and others read


def read(image: Opened, page: Directory | None = None) -> bytes | None:
    """The records of an opened image, or of a page of a TIFF file; None where there are none that can be read."""
    try:
        found: Any
        if page:
            found = page.iptc()
        elif image.format == "PNG":
            found = _resource(text_profiles.raw(image.info, "iptc") or text_profiles.raw(image.info, "8bim"))
        else:
            found = image.info.get("iptc") or image.info.get("photoshop", {}).get(_IPTC_RESOURCE)
        return bytes(found) if found and found[0] == _MARKER else None
    except Exception:  # broken metadata are common and no reason to lose a photograph
        return None


def _resources_with(iptc: bytes) -> bytes:
    """IPTC's records as Adobe's image resources have them: what JPEG's APP13 and PNG's text carry."""
    padding = b"\0" * (len(iptc) % 2)
    return struct.pack(">4sHHI", b"8BIM", _IPTC_RESOURCE, 0, len(iptc)) + iptc + padding


def jpeg_segment(iptc: bytes) -> bytes:
    """The APP13 segment of a JPEG file; b'' where it does not fit into one."""
    payload = b"Photoshop 3.0\0" + _resources_with(iptc)
    return struct.pack(">HH", 0xFFED, len(payload) + 2) + payload if len(payload) + 2 <= 0xFFFF else b""


def png_text(iptc: bytes) -> tuple[str, str]:
    """Key and value of a PNG file's text."""
    resources = _resources_with(iptc)
    digits = resources.hex()
    lines = "\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    return _PNG_IPTC, f"\niptc\n{len(resources):8d}\n{lines}\n"


def _resource(resources: bytes) -> bytes | None:
    """IPTC's records of image resources, or the records themselves where they are bare."""
    if not resources.startswith(b"8BIM"):
        return resources
    at = resources.find(struct.pack(">4sH", b"8BIM", _IPTC_RESOURCE))
    if at < 0:
        return None
    name = resources[at + 6] + 1
    start = at + 6 + name + name % 2
    size = int.from_bytes(resources[start : start + 4], "big")
    return resources[start + 4 : start + 4 + size]
