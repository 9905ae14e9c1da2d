"""The XMP mark of machine-made colors, alone and added to the packet of a photograph."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import pytest

from colorize_core.images.metadata import provenance
from colorize_core.images.metadata.provenance import Provenance, is_ours, marked

ATTRIBUTE = {
    "type": "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType",
    "tool": "{http://ns.adobe.com/xap/1.0/}CreatorTool",
}
DERIVED_FROM = "{http://ns.adobe.com/xap/1.0/mm/}DerivedFrom"
FILE_PATH = "{http://ns.adobe.com/xap/1.0/sType/ResourceRef#}filePath"


def _source(description: ET.Element) -> str:
    [derived] = description.findall(DERIVED_FROM)
    return derived.attrib[FILE_PATH]


@pytest.mark.parametrize(
    "name",
    [
        "scans/a.tif",
        'a "quoted" name',
        "it's",
        "R&D <1>",
        "Ærø/東京/é.jpg",
        "s3://bucket/a b.jpg",
        "a]]>b",
        "tab\there",
    ],
)
def test_provenance_says_what_made_the_colors_from_what(name: str) -> None:
    packet = marked(Provenance(name, "unet-lab", "0123abcd" * 8))
    description = ET.fromstring(packet)[0][0]  # noqa: S314
    assert {key: description.attrib[full] for key, full in ATTRIBUTE.items()} == {
        "type": "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia",
        "tool": f"colorize unet-lab sha256:{'0123abcd' * 8}",
    }
    assert _source(description) == name
    assert packet.startswith(b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>')
    assert packet.endswith(b'<?xpacket end="w"?>')


@pytest.mark.parametrize("code", [0x00, 0x07, 0x1F, 0xD800, 0xDCFF, 0xFFFE, 0xFFFF])
def test_what_xml_cannot_say_is_replaced(code: int) -> None:
    description = ET.fromstring(marked(Provenance(f"a{chr(code)}b.jpg", "m", "d")))[0][0]  # noqa: S314
    assert _source(description) == "a\N{REPLACEMENT CHARACTER}b.jpg"


FOUND = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Scanner 3"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmlns:own="http://example.org/archive/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmp:CreatorTool="Scanner 3" tiff:Orientation="6" own:shelf="17">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Märkte &amp; Straßen</rdf:li></rdf:Alt></dc:title>
<dc:source>negative 12</dc:source>
<mm:DerivedFrom xmlns:mm="http://ns.adobe.com/xap/1.0/mm/" rdf:parseType="Resource"/>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


@pytest.mark.parametrize("padding", ["", "\n" * 100, "\0"])
def test_a_photographs_own_packet_is_kept(padding: str) -> None:
    packet = marked(Provenance("a.jpg", "m", "d"), (FOUND + padding).encode())
    theirs, ours = ET.fromstring(packet).findall(f".//{RDF}Description")  # noqa: S314
    assert theirs.attrib == {f"{RDF}about": "", "{http://example.org/archive/}shelf": "17"}
    assert [item.text for item in theirs.iter(f"{RDF}li")] == ["Märkte & Straßen"]
    assert [child.tag.partition("}")[2] for child in theirs] == ["title", "source"]
    assert theirs[1].text == "negative 12"
    assert ours.attrib[ATTRIBUTE["tool"]] == "colorize m sha256:d"
    assert _source(ours) == "a.jpg"
    assert packet.count(b"<?xpacket") == 2


def test_a_packet_that_is_ours_already_is_marked_once() -> None:
    first = marked(Provenance("a.jpg", "m", "d"))
    assert is_ours(io.BytesIO(first))
    again = marked(Provenance("b.jpg", "n", "e"), first)
    assert (again.count(b"a.jpg"), again.count(b"b.jpg"), again.count(b"CreatorTool=")) == (0, 1, 1)


def test_the_mark_is_found_across_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    packet = marked(Provenance("a.jpg", "m", "d"))
    for size in (1, 7, 64, len(packet)):
        monkeypatch.setattr(provenance, "_PIECE", size)
        assert is_ours(io.BytesIO(b"x" * 100 + packet))
        assert not is_ours(io.BytesIO(packet.replace(b"CreatorTool", b"CreatorTools")))


def test_a_page_that_keeps_its_colors_is_ours_but_not_machine_made() -> None:
    packet = marked(Provenance("a.jpg", "m", "d"), FOUND.encode(), kept=True)
    assert is_ours(io.BytesIO(packet))
    assert b"DigitalSourceType" not in packet
    assert b"sha256" not in packet


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&b;</x:xmpmeta>'


@pytest.mark.parametrize("found", ["", "\0", "<x", "<a/>", BOMB, FOUND[:300]])
def test_a_packet_that_cannot_be_used_gives_way(found: str) -> None:
    assert marked(Provenance("a.jpg", "m", "d"), found.encode()) == marked(Provenance("a.jpg", "m", "d"))
