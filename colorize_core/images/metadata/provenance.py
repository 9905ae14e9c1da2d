"""Marks files in XMP as colorized by a machine, with the name of the model and of the source photograph.

Source: IPTC Photo Metadata Standard 2023.2, Digital Source Type; XMP Specification Part 1 (ISO 16684-1), and Part 2,
Media Management: a derived file refers to its source by xmpMM:DerivedFrom. dc:source is left to the archivist.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO
from xml.etree import ElementTree  # only builds and writes; defusedxml parses

import defusedxml.ElementTree

# The IPTC term for captured pixels combined with pixels from a trained model: the lightness is the photograph's own.
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_MARK = b'xmp:CreatorTool="colorize '
_PIECE = 4 << 20  # bytes read at a time
_SOURCE = "xmpMM:DerivedFrom"
_NOT_XML = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"
)  # not allowed in XML 1.0 (2.2), even escaped
_SPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
}
for _prefix, _space in _SPACES.items():
    ElementTree.register_namespace(_prefix, _space)


@dataclass(frozen=True)
class Provenance:
    """The origin of a result.

    Attributes:
        source: path or URL of the photograph.
        bundle: name of the model bundle.
        digest: SHA-256 of the model bundle.
    """

    source: str
    bundle: str
    digest: str


def is_ours(file: IO[bytes]) -> bool:
    """Returns True if colorize wrote an image file: it has the XMP entry that ``marked`` makes.

    Reads the file in pieces; most often the first one is enough.
    """
    overlap = b""
    while piece := file.read(_PIECE):
        if _MARK in overlap + piece:
            return True
        overlap = (overlap + piece)[1 - len(_MARK) :]  # the mark may lie across two pieces
    return False


def made_by_machine(content: bytes) -> bool:
    """Returns True if an image file says that a trained model made part of it."""
    return DIGITAL_SOURCE_TYPE.encode() in content


def marked(provenance: Provenance, xmp: bytes | None = None, *, kept: bool = False) -> bytes:
    """Returns an XMP packet that names colorize and the source, and says that a machine made the colors.

    Args:
        provenance: source and model.
        xmp: the packet of the photograph, to which the mark is added; ignored if it cannot be parsed.
        kept: the photograph keeps its own colors: the packet then names no model and says nothing of a machine.

    Example:
        >>> b"colorize unet sha256:1234" in marked(Provenance("scan.tif", "unet", "1234"))
        True
    """
    root = _parsed(xmp)
    if root is None:
        root = ElementTree.Element(_named("x:xmpmeta"))
        ElementTree.SubElement(root, _named("rdf:RDF"))
    rdf = next(root.iter(_named("rdf:RDF")))
    by = "(its own colors)" if kept else f"{provenance.bundle} sha256:{provenance.digest}"
    ours = {_named("xmp:CreatorTool"): f"colorize {by}"}
    if not kept:
        ours[_named("Iptc4xmpExt:DigitalSourceType")] = DIGITAL_SOURCE_TYPE
    # The orientation is applied to the pixels; Pillow and others would apply the one in XMP again.
    stale = {*ours, *map(_named, ("tiff:Orientation", "exif:PixelXDimension", "exif:PixelYDimension", _SOURCE))}
    for description in rdf.findall(_named("rdf:Description")):
        for name in stale & description.attrib.keys():
            del description.attrib[name]
        for child in [child for child in description if child.tag in stale]:
            description.remove(child)
    mark = ElementTree.SubElement(rdf, _named("rdf:Description"), {_named("rdf:about"): "", **ours})
    source = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", provenance.source)
    ElementTree.SubElement(mark, _named(_SOURCE), {_named("stRef:filePath"): source})
    packet = ElementTree.tostring(root, "unicode")
    return f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{packet}<?xpacket end="w"?>'.encode()


def _parsed(xmp: bytes | None) -> ElementTree.Element | None:
    """Returns the root of an XMP packet; None if it is not XMP, or unsafe XML."""
    try:
        root = defusedxml.ElementTree.fromstring((xmp or b"").rstrip(b"\0 \n"))
    except Exception:  # not XML, or an XML bomb
        return None
    return root if next(root.iter(_named("rdf:RDF")), None) is not None else None


def _named(name: str) -> str:
    """Returns the name for ElementTree: ``xmp:CreatorTool`` becomes ``{http://ns.adobe.com/xap/1.0/}CreatorTool``."""
    prefix, local = name.split(":")
    return f"{{{_SPACES[prefix]}}}{local}"
