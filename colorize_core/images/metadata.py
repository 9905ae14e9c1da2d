"""What a file says about its pixels, and what we add: that the colors were made by a machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from PIL import Image

_ORIENTATION = 0x0112
_RESOLUTION = (0x011A, 0x011B, 0x0128)  # across, down, unit: 2 is the inch
# What a JPEG file can say. 1 is what Pillow calls a TIFF file that says nothing, NaN one that divides by 0.
_MAX_DPI = 65_535
_STRIP_TAGS = (  # how a TIFF file lays out its pixels, and its ICC profile, which goes its own way
    *(0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x0111, 0x0115, 0x0116, 0x0117, 0x011C, 0x013D, 0x0140),
    *(0x0142, 0x0143, 0x0144, 0x0145, 0x0152, 0x0153, 0x8773),
)
# IPTC's term for captured pixels joined with some that a trained model made: the lightness is the photograph's own.
_DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0, 2.2: even escaped


@dataclass(frozen=True)
class Metadata:
    """EXIF block (orientation already applied), dots per inch and RGB ICC profile, where the file has them."""

    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    icc: bytes | None = None


def read_metadata(image: Image.Image) -> Metadata:
    """Metadata of an opened image; what cannot be parsed is left out, since the pixels matter more."""
    found = image.info.get("dpi")
    dpi = (float(found[0]), float(found[1])) if found and all(1 < d <= _MAX_DPI for d in found) else None
    try:
        exif = image.getexif()
        exif.pop(_ORIENTATION, None)
        for tag in _STRIP_TAGS:
            exif.pop(tag, None)
        if dpi and _RESOLUTION[0] not in exif:  # a WebP file has no other place for it
            exif.update(zip(_RESOLUTION, (*dpi, 2), strict=True))
        exif_bytes = exif.tobytes() if len(exif) else None
    except Exception:  # a broken EXIF block is common and no reason to lose a photograph
        exif_bytes = None
    icc = image.info.get("icc_profile")
    return Metadata(
        exif=exif_bytes,
        dpi=dpi,
        icc=icc if icc and icc[16:20] == b"RGB " else None,  # a gray or CMYK profile does not describe our RGB
    )


def provenance(source: str, bundle: str, digest: str) -> bytes:
    """XMP packet that marks a file as machine-colorized: from which source, by which model bundle."""
    source = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", source)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        f" Iptc4xmpExt:DigitalSourceType={quoteattr(_DIGITAL_SOURCE_TYPE)}"
        f" xmp:CreatorTool={quoteattr(f'colorize {bundle} sha256:{digest}')}"
        f" dc:source={quoteattr(source)}/></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="w"?>'
    ).encode()
