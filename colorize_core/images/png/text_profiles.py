"""Profiles in text chunks of PNG files, as ImageMagick wrote them before PNG had chunks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEY = "Raw profile type "
_NAMES = {
    "exif": "exif",
    "xmp": "xmp",
    "icc": "icc_profile",
    "icm": "icc_profile",
}  # kind in the text: name in Pillow's info
_APP1 = ((b"Exif\0\0", "exif"), (b"http://ns.adobe.com/xap/1.0/\0", "xmp"))  # a segment of a JPEG file, of either kind


def found_in(info: Mapping[Any, Any]) -> dict[Any, Any]:
    """Returns ``exif``, ``xmp`` and ``icc_profile`` that Pillow's ``info`` holds as text."""
    profiles: dict[Any, Any] = {}
    for kind, name in _NAMES.items():
        if data := raw(info, kind):
            profiles[name] = data
    app1 = raw(info, "APP1")
    for head, name in _APP1:
        if app1.startswith(head):
            profiles[name] = app1 if name == "exif" else app1.removeprefix(head)
    return profiles


def raw(info: Mapping[Any, Any], kind: str) -> bytes:
    """Returns the profile of a kind; b'' if there is none that can be read.

    The text is a line break, the name, the length in bytes, and lines of hexadecimal digits.
    """
    lines = str(info.get(_KEY + kind, "")).split("\n")
    try:
        return bytes.fromhex("".join(lines[3:]))[: int(lines[2])]
    except (ValueError, IndexError):
        return b""
