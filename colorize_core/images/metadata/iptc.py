"""Reads and writes IPTC records (IIM 4.2) as JPEG, PNG and TIFF files hold them."""

from __future__ import annotations

import struct
from typing import Any

from colorize_core.images.layouts import Opened
from colorize_core.images.png import text_profiles
from colorize_core.images.tiff.directory import Directory

_IPTC_RESOURCE = 0x0404  # number of IPTC in Adobe's "image resources", which hold the records in JPEG and PNG
_MARKER = 0x1C  # the first byte of each record
_PNG_IPTC = "Raw profile type iptc"  # the key of ImageMagick, which exiftool and others read


def read(image: Opened, page: Directory | None = None) -> bytes | None:
    """Returns the records of an opened image, or of a page of a TIFF file; None if there are none that can be read."""
    try:
        records: Any
        if page:
            records = page.iptc()
        elif image.format == "PNG":
            records = _resource(text_profiles.raw(image.info, "iptc") or text_profiles.raw(image.info, "8bim"))
        else:
            records = image.info.get("iptc") or image.info.get("photoshop", {}).get(_IPTC_RESOURCE)
        return bytes(records) if records and records[0] == _MARKER else None
    except Exception:  # broken metadata is common and no reason to lose a photograph
        return None


def _as_resource(iptc: bytes) -> bytes:
    """Returns IPTC records as an Adobe image resource, which JPEG holds in APP13 and PNG in a text."""
    padding = b"\0" * (len(iptc) % 2)
    return struct.pack(">4sHHI", b"8BIM", _IPTC_RESOURCE, 0, len(iptc)) + iptc + padding


def jpeg_segment(iptc: bytes) -> bytes:
    """Returns the APP13 segment of a JPEG file; b'' if the records do not fit into one (65,535 bytes)."""
    payload = b"Photoshop 3.0\0" + _as_resource(iptc)
    return struct.pack(">HH", 0xFFED, len(payload) + 2) + payload if len(payload) + 2 <= 0xFFFF else b""


def png_text(iptc: bytes) -> tuple[str, str]:
    """Returns key and value of the text in a PNG file."""
    resource = _as_resource(iptc)
    digits = resource.hex()
    lines = "\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    return _PNG_IPTC, f"\niptc\n{len(resource):8d}\n{lines}\n"


def _resource(resources: bytes) -> bytes | None:
    """Returns the IPTC records in Adobe's image resources; other bytes are returned unchanged."""
    if not resources.startswith(b"8BIM"):
        return resources
    offset = resources.find(struct.pack(">4sH", b"8BIM", _IPTC_RESOURCE))
    if offset < 0:
        return None
    name_bytes = resources[offset + 6] + 1
    start = offset + 6 + name_bytes + name_bytes % 2
    size = int.from_bytes(resources[start : start + 4], "big")
    return resources[start + 4 : start + 4 + size]
