"""Recognizes, by their first bytes, files that colorize cannot read, and says what to do about them."""

from __future__ import annotations

from colorize_core.images.formats import READABLE

_KINDS = {  # kind of file in words, by Pillow's name of the format in lower case, or the name in the field
    "avif": "an AVIF file",
    "dicom": "a DICOM file",
    "djvu": "a DjVu file",
    "exr": "an OpenEXR file",
    "fits": "a FITS file",
    "heif": "a HEIC file",
    "jxl": "a JPEG XL file",
    "jxr": "a JPEG XR file",
    "pdf": "a PDF file",
    "psd": "a Photoshop file",
    "raw": "a raw photograph",
}
_SIGNATURES = (  # offset, bytes, key of _KINDS
    (0, b"8BPS", "psd"),
    (0, b"%PDF-", "pdf"),
    (0, b"AT&TFORM", "djvu"),
    (0, b"\xff\x0a", "jxl"),
    (4, b"JXL \r\n\x87\n", "jxl"),
    (0, b"II\xbc", "jxr"),
    (4, b"ftypavif", "avif"),
    (4, b"ftypavis", "avif"),
    *((4, b"ftyp" + brand, "heif") for brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")),
    (4, b"ftypcrx", "raw"),
    (0, b"FUJIFILM", "raw"),
    (0, b"v/1\x01", "exr"),
    (0, b"SIMPLE  =", "fits"),
    (128, b"DICM", "dicom"),
)
_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # JPEG markers without a segment
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15; the others are tables
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_JPEG_LS = 0xF7


def advice(content: bytes) -> str:
    """Returns a message with the kind of an unsupported file and what to do about it.

    The message is '' if the kind is unknown, or if the format is one of ``READABLE``: then the file is damaged.

    Example:
        >>> advice(b"%PDF-1.7")
        'a PDF file, which is not read here: save it as TIFF or PNG'
    """
    kind = _kind(content)
    remedy = "install colorize with the extra heic" if kind == _KINDS["heif"] else "save it as TIFF or PNG"
    return f"{kind}, which is not read here: {remedy}" if kind else ""


def _kind(content: bytes) -> str:
    """Returns the kind of an unsupported file in words; '' if the kind is unknown or the format is readable.

    Sources: ITU-T T.81, B.1.1.3, and T.87, C.1.1 for JPEG markers; for the others the specification of each format.
    """
    for offset, signature, name in _SIGNATURES:
        if content.startswith(signature, offset):
            return "" if any(each.name == name for each in READABLE) else _KINDS[name]
    return _jpeg_kind(content) if content.startswith(b"\xff\xd8\xff") else ""


def _jpeg_kind(content: bytes) -> str:
    """Returns the kind of a JPEG file that is not baseline or progressive with 8 bits; else ''."""
    offset = 2
    while content[offset : offset + 1] == b"\xff" and offset + 5 <= len(content):
        marker = content[offset + 1]
        if marker == 0xFF or marker in _STANDALONE:
            offset += 1 if marker == 0xFF else 2
        elif marker == _JPEG_LS:
            return "a JPEG-LS file"
        elif marker in _LOSSLESS:
            return "a lossless JPEG file"
        elif marker in _FRAMES:
            bits = content[offset + 4]
            return f"a JPEG file of {bits} bits" if bits != 8 else ""
        else:
            offset += 2 + int.from_bytes(content[offset + 2 : offset + 4], "big")
    return ""
