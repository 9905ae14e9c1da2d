"""Recognizes, by their first bytes, files that colorize cannot read, and says what to do about them."""

from __future__ import annotations

_HEIC = "a HEIC file"
_SIGNATURES = (  # offset, bytes, kind of file
    (0, b"8BPS", "a Photoshop file"),
    (0, b"%PDF-", "a PDF file"),
    (0, b"AT&TFORM", "a DjVu file"),
    (0, b"\xff\x0a", "a JPEG XL file"),
    (4, b"JXL \r\n\x87\n", "a JPEG XL file"),
    (0, b"II\xbc", "a JPEG XR file"),
    (4, b"ftypavif", "an AVIF file"),
    (4, b"ftypavis", "an AVIF file"),
    *((4, b"ftyp" + brand, _HEIC) for brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")),
    (4, b"ftypcrx", "a raw photograph"),
    (0, b"FUJIFILM", "a raw photograph"),
    (0, b"v/1\x01", "an OpenEXR file"),
    (0, b"SIMPLE  =", "a FITS file"),
    (128, b"DICM", "a DICOM file"),
)
_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # JPEG markers without a segment
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15; the others are tables
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_JPEG_LS = 0xF7


def advice(content: bytes) -> str:
    """Returns a message with the kind of an unsupported file and what to do about it; '' if the kind is unknown.

    Example:
        >>> advice(b"%PDF-1.7")
        'a PDF file, which is not read here: save it as TIFF or PNG'
    """
    kind = _kind(content)
    remedy = "install colorize with the extra heic" if kind == _HEIC else "save it as TIFF or PNG"
    return f"{kind}, which is not read here: {remedy}" if kind else ""


def _kind(content: bytes) -> str:
    """Returns the kind of an unsupported file in words; '' if it is unknown.

    Sources: ITU-T T.81, B.1.1.3, and T.87, C.1.1 for JPEG markers; for the others the specification of each format.
    """
    for offset, signature, name in _SIGNATURES:
        if content.startswith(signature, offset):
            return name
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
