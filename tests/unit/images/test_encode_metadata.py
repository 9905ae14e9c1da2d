"""Metadata in every format: EXIF, resolution, ICC profile and XMP."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from colorize_core.archiving.stages.merge import colorize
from colorize_core.images import encode
from colorize_core.images.decode import read_photograph
from colorize_core.images.encode import Encoding
from colorize_core.images.metadata import Metadata, exif
from colorize_core.images.metadata.provenance import Provenance, is_ours, marked
from tests.unit.images.encoder_inputs import (
    COMPRESSIONS,
    ICC,
    RED,
    WITHOUT_RESOLUTION,
    WRITTEN,
    exif_block,
    open_encoded,
)

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


@pytest.mark.parametrize("file_format", WRITTEN)
def test_metadata_are_kept(photographs: dict[str, NDArray[np.uint8]], file_format: str) -> None:
    metadata = Metadata(exif=exif.read(exif_block(), (9, 7)), dpi=(300.0, 150.0), icc=ICC)
    image = open_encoded(encode.encode(photographs["rocket"], Encoding(file_format), metadata=metadata))
    found = image.getexif()
    assert found[0x010E] == "Main Street, 1931"
    assert found.get_ifd(0x8769)[0x9003] == "1931:05:04 10:00:00"
    assert image.info["icc_profile"] == ICC
    if file_format not in WITHOUT_RESOLUTION:
        assert image.info["dpi"] == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("file_format", WRITTEN)
@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF"])
def test_resolution_of_a_scan_reaches_every_format(
    photographs: dict[str, NDArray[np.uint8]], source: str, file_format: str
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(photographs["rocket"]).convert("L").save(buffer, source, dpi=(600, 600))
    metadata = read_photograph(buffer.getvalue()).metadata
    image = open_encoded(encode.encode(photographs["rocket"], Encoding(file_format), metadata=metadata))
    exif = image.getexif()
    assert (float(exif[0x011A]), float(exif[0x011B]), exif[0x0128]) == pytest.approx((600, 600, 2), abs=0.02)
    if file_format not in WITHOUT_RESOLUTION:
        assert image.info["dpi"] == pytest.approx((600, 600), abs=0.02)


@pytest.mark.parametrize("file_format", WRITTEN)
@pytest.mark.parametrize("name", ["scan.tif", 'Karl "der Große" & Söhne <1900>.jpg', "東京 '31\n.png", "bell\a.jpg"])
def test_xmp_marks_every_format(file_format: str, name: str) -> None:
    xmp = marked(Provenance(name, "unet-lab", "ab" * 32))
    image = open_encoded(encode.encode(RED, Encoding(file_format), xmp=xmp))
    stored: Any = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]  # Pillow has two names for it
    description = ET.fromstring(stored).find(f".//{RDF}Description")  # noqa: S314
    assert description is not None
    assert (
        description.attrib["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"]
        == "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    )
    in_xml = name.replace("\a", "\N{REPLACEMENT CHARACTER}")
    derived = description.find("{http://ns.adobe.com/xap/1.0/mm/}DerivedFrom")
    assert derived is not None
    assert derived.attrib["{http://ns.adobe.com/xap/1.0/sType/ResourceRef#}filePath"] == in_xml


def test_exif_that_no_jpeg_can_hold_is_left_out() -> None:
    long = Image.Exif()
    long[0x010E] = "x" * 70_000
    metadata = Metadata(exif=exif.read(long.tobytes(), (9, 7)), dpi=(300.0, 300.0))
    assert open_encoded(encode.encode(RED, Encoding("png"), metadata=metadata)).getexif()[0x010E] == "x" * 70_000
    as_jpeg = open_encoded(encode.encode(RED, Encoding("jpeg"), metadata=metadata))
    assert len(as_jpeg.getexif()) == 0
    assert as_jpeg.info["dpi"] == (300, 300)


@pytest.mark.parametrize("file_format", WRITTEN)
def test_an_xmp_packet_that_does_not_fit_gives_way(file_format: str) -> None:
    long = marked(Provenance("x" * 70_000, "m", "d"))
    content = encode.encode(RED, Encoding("png"), xmp=long)
    result = colorize(
        read_photograph(content), np.zeros((2, 2, 2), np.float32), Encoding(file_format), Provenance("a.png", "m", "d")
    )
    found = read_photograph(result.content).metadata.xmp or b""
    assert is_ours(io.BytesIO(found))
    assert b"a.png" in found
    unfit = marked(Provenance("x" * 70_000, "m", "d"), None)
    assert Encoding(file_format).holds(unfit) == (file_format != "jpeg")


def _scan(**options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.tile(np.array([0, 255], np.uint8), (8, 8))).convert("1").save(buffer, "TIFF", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_how_a_scan_lies_in_its_file_does_not_reach_ours(compression: str) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x010A], tags[0x0129], tags[0x010E] = 2, (3, 7), "a fax"  # bits from the right; page 3 of 7
    content = _scan(compression="group4", tiffinfo=tags)
    how = Encoding("tiff", tiff_compression=compression)
    result = colorize(read_photograph(content), np.zeros((2, 2, 2), np.float32), how, Provenance("a", "m", "d"))
    image = open_encoded(result.content)
    assert set(np.unique(np.asarray(image))) == {0, 255}
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    assert image.tag_v2.get(0x010A, 1) == 1
    assert image.getexif()[0x010E] == "a fax"


def test_layers_of_photoshop_are_left_behind() -> None:
    buffer = io.BytesIO()
    layers = (37724, "B", 9000, b"8BIM" * 2250, True)
    tifffile.imwrite(buffer, RED, extratags=[layers], description="a fax", metadata=None)
    found = read_photograph(buffer.getvalue()).metadata.exif
    assert found is not None
    assert 37724 not in found.main
    assert found.main[270].value == b"a fax"


def test_a_resolution_without_a_unit_is_in_inches() -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, RED, resolution=(300, 300), resolutionunit=None)
    content = buffer.getvalue()
    for file_format in ("tiff", "jpeg", "png"):
        how = Encoding(file_format)
        result = colorize(read_photograph(content), np.zeros((2, 2, 2), np.float32), how, Provenance("a", "m", "d"))
        found = read_photograph(result.content).metadata.dpi
        assert found == pytest.approx((300, 300), abs=0.02) or read_photograph(content).metadata.dpi is None
