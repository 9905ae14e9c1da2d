from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from colorize_core.images.decode import read_photograph
from colorize_core.images.metadata import Metadata, provenance, read_metadata

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY = Image.fromarray(np.arange(12 * 16, dtype=np.uint8).reshape(12, 16))
ATTRIBUTE = {
    "type": "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType",
    "tool": "{http://ns.adobe.com/xap/1.0/}CreatorTool",
    "source": "{http://purl.org/dc/elements/1.1/}source",
}


def _opened(file_format: str, image: Image.Image = GRAY, **options: Any) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return Image.open(buffer)


def _parsed(exif: bytes | None) -> Image.Exif:
    assert exif is not None
    parsed = Image.Exif()
    parsed.load(exif)
    return parsed


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_file_without_metadata_has_none(file_format: str) -> None:
    assert read_metadata(_opened(file_format)) == Metadata(None, None, None)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_exif_is_kept_but_for_the_orientation(file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "Main Street, 1931"
    exif.get_ifd(0x8769)[0x9003] = "1931:05:04 10:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    kept = _parsed(read_metadata(_opened(file_format, exif=exif)).exif)
    assert 0x0112 not in kept
    assert kept[0x010E] == "Main Street, 1931"
    assert kept.get_ifd(0x8769)[0x9003] == "1931:05:04 10:00:00"
    assert kept.get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_of_a_tiff_files_tags_only_what_says_something_is_kept(mode: str, compression: str) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x0112] = 3
    tags[0x010E] = "Main Street, 1931"
    if compression == "raw":  # in compressed files Pillow cannot write this
        tags[0x8769] = {0x9003: "1931:05:04 10:00:00"}
    image = _opened("TIFF", GRAY.convert(mode), tiffinfo=tags, compression=compression, icc_profile=ICC)
    assert {0x0100, 0x0101, 0x0103, 0x0106, 0x0111, 0x8773} <= set(image.getexif())
    kept = _parsed(read_metadata(image).exif)
    assert set(kept) - {0x8769} == {0x010E}
    assert kept[0x010E] == "Main Street, 1931"
    assert kept.get_ifd(0x8769) == ({0x9003: "1931:05:04 10:00:00"} if compression == "raw" else {})


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF"])
def test_dots_per_inch(file_format: str) -> None:
    metadata = read_metadata(_opened(file_format, dpi=(600, 300)))
    assert metadata.dpi == pytest.approx((600, 300), abs=0.02)
    exif = _parsed(metadata.exif)
    assert (exif[0x011A], exif[0x011B], exif[0x0128]) == pytest.approx((600, 300, 2), abs=0.02)


def test_dots_per_centimeter_stay_what_exif_calls_them() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[282], tags[283], tags[296] = 100.0, 100.0, 3
    metadata = read_metadata(_opened("TIFF", tiffinfo=tags))
    assert metadata.dpi == pytest.approx((254, 254))
    exif = _parsed(metadata.exif)
    assert (exif[282], exif[283], exif[296]) == (100, 100, 3)


@pytest.mark.parametrize(("over", "under"), [(0, 0), (0, 1), (1, 1000), (4_294_967_295, 1), (65_536, 1)])
def test_senseless_resolution_is_left_out(over: int, under: int) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[282] = tags[283] = TiffImagePlugin.IFDRational(over, under)
    tags[296] = 2
    assert read_metadata(_opened("TIFF", tiffinfo=tags)).dpi is None


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_an_rgb_profile_is_kept(file_format: str) -> None:
    image = _opened(file_format, GRAY.convert("RGB"), icc_profile=ICC)
    assert read_metadata(image).icc == ICC


@pytest.mark.parametrize("space", [b"GRAY", b"CMYK", b"Lab "])
def test_a_profile_of_another_space_is_left_out(space: bytes) -> None:
    profile = ICC[:16] + space + ICC[20:]
    assert read_metadata(_opened("JPEG", icc_profile=profile)).icc is None


@pytest.mark.parametrize("block", [b"Exif\x00\x00", b"Exif\x00\x00MM\x00*\xff\xff\xff\xff", b"Exif\x00\x00rubbish"])
def test_a_broken_exif_block_costs_no_photograph(block: bytes) -> None:
    buffer = io.BytesIO()
    GRAY.save(buffer, "PNG", exif=block)
    photograph = read_photograph(buffer.getvalue())
    np.testing.assert_array_equal(photograph.pixels, np.asarray(GRAY))
    assert photograph.metadata.exif is None


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
    packet = provenance(name, "unet-lab", "0123abcd" * 8)
    description = ET.fromstring(packet)[0][0]  # noqa: S314
    assert {key: description.attrib[full] for key, full in ATTRIBUTE.items()} == {
        "type": "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia",
        "tool": f"colorize unet-lab sha256:{'0123abcd' * 8}",
        "source": name,
    }
    assert packet.startswith(b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>')
    assert packet.endswith(b'<?xpacket end="w"?>')


@pytest.mark.parametrize("code", [0x00, 0x07, 0x1F, 0xD800, 0xDCFF, 0xFFFE, 0xFFFF])
def test_what_xml_cannot_say_is_replaced(code: int) -> None:
    description = ET.fromstring(provenance(f"a{chr(code)}b.jpg", "m", "d"))[0][0]  # noqa: S314
    assert description.attrib[ATTRIBUTE["source"]] == "a\N{REPLACEMENT CHARACTER}b.jpg"
