from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from colorize_core.images.decode import open_photograph, read_photograph
from colorize_core.images.metadata import Metadata
from colorize_core.images.metadata.exif import Exif
from tests.support.image_files import DEEP, DEEP_RGB, RGB, png_chunks
from tests.support.rare_files import jp2_by_hand, tiff_of

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="%s"/></rdf:RDF></x:xmpmeta>'
)
GRAY = Image.fromarray(np.arange(12 * 16, dtype=np.uint8).reshape(12, 16))


def _content(file_format: str, image: Image.Image = GRAY, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _read(content: bytes) -> Metadata:
    return read_photograph(content).metadata


def _parsed(exif: Exif | None) -> Image.Exif:
    assert exif is not None
    parsed = Image.Exif()
    parsed.load(exif.block())
    return parsed


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_file_without_metadata_has_none(file_format: str) -> None:
    assert _read(_content(file_format)) == Metadata(None, None, None)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_exif_is_kept_but_for_the_orientation(file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "Main Street, 1931"
    exif.get_ifd(0x8769)[0x9003] = "1931:05:04 10:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    kept = _parsed(_read(_content(file_format, exif=exif)).exif)
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
    content = _content("TIFF", GRAY.convert(mode), tiffinfo=tags, compression=compression, icc_profile=ICC)
    assert {0x0100, 0x0101, 0x0103, 0x0106, 0x0111, 0x8773} <= set(Image.open(io.BytesIO(content)).getexif())
    kept = _parsed(_read(content).exif)
    assert set(kept) - {0x8769} == {0x010E}
    assert kept[0x010E] == "Main Street, 1931"
    assert kept.get_ifd(0x8769) == ({0x9003: "1931:05:04 10:00:00"} if compression == "raw" else {})


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF"])
def test_dots_per_inch(file_format: str) -> None:
    metadata = _read(_content(file_format, dpi=(600, 300)))
    assert metadata.dpi == pytest.approx((600, 300), abs=0.02)
    exif = _parsed(metadata.exif)
    assert (exif[0x011A], exif[0x011B], exif[0x0128]) == pytest.approx((600, 300, 2), abs=0.02)


def test_dots_per_centimeter_stay_what_exif_calls_them() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[282], tags[283], tags[296] = 100.0, 100.0, 3
    metadata = _read(_content("TIFF", tiffinfo=tags))
    assert metadata.dpi == pytest.approx((254, 254))
    exif = _parsed(metadata.exif)
    assert (exif[282], exif[283], exif[296]) == (100, 100, 3)


@pytest.mark.parametrize(("over", "under"), [(0, 0), (0, 1), (1, 1000), (4_294_967_295, 1), (65_536, 1)])
def test_senseless_resolution_is_left_out(over: int, under: int) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[282] = tags[283] = TiffImagePlugin.IFDRational(over, under)
    tags[296] = 2
    assert _read(_content("TIFF", tiffinfo=tags)).dpi is None


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_an_rgb_profile_is_kept(file_format: str) -> None:
    content = _content(file_format, GRAY.convert("RGB"), icc_profile=ICC)
    assert _read(content).icc == ICC


@pytest.mark.parametrize("space", [b"GRAY", b"CMYK", b"Lab "])
def test_a_profile_of_another_space_is_left_out(space: bytes) -> None:
    profile = ICC[:16] + space + ICC[20:]
    assert _read(_content("JPEG", icc_profile=profile)).icc is None


def test_what_a_jpeg_2000_file_carries() -> None:
    exif = Image.Exif()
    exif[0x010E] = "Main Street, 1931"
    records = b"\x1c\x02\x05\x00\x06Market"
    content = jp2_by_hand(
        DEEP_RGB,
        ICC,
        xbe7acfcb97a942e89c71999491e3afac=XMP % b"1",
        x4a706754696666457869662d3e4a5032=exif.tobytes()[6:],
        x33c7a4d2b81d4723a0baf1a3e097ad38=records,
    )
    photograph = read_photograph(content)
    np.testing.assert_array_equal(photograph.pixels, DEEP_RGB)
    metadata = photograph.metadata
    assert (metadata.icc, metadata.xmp, metadata.iptc) == (ICC, XMP % b"1", records)
    assert _parsed(metadata.exif)[0x010E] == "Main Street, 1931"


@pytest.mark.parametrize("pixels", [np.asarray(GRAY), DEEP], ids=["8", "16"])
def test_tones_of_a_jpeg_2000_file_are_those_of_its_profile(pixels: NDArray[Any]) -> None:
    linear = bytes(imagecodecs.cms_profile("gray", gamma=1.0))
    seen = read_photograph(jp2_by_hand(pixels, linear)).pixels / 65535
    light = pixels / np.iinfo(pixels.dtype).max
    np.testing.assert_allclose(
        seen, np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055), atol=1e-4
    )


def _turned_by_xmp(kind: str) -> bytes:
    """Returns a file with an orientation in XMP only."""
    xmp, image = XMP % b"6", Image.fromarray(RGB)
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        return _content(kind, image, pnginfo=info)
    if kind == "JPEG2000":
        return jp2_by_hand(RGB, b"", xbe7acfcb97a942e89c71999491e3afac=xmp)
    if kind == "TIFF of 16 bits":
        return tiff_of(DEEP_RGB, 2, extratags=[(700, 1, len(xmp), xmp, True)])
    if kind == "TIFF":
        return tiff_of(RGB, 2, extratags=[(700, 1, len(xmp), xmp, True)])
    return _content(kind, image, xmp=xmp)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "TIFF of 16 bits", "JPEG2000"])
def test_orientation_that_stands_in_xmp_alone(kind: str) -> None:
    content = _turned_by_xmp(kind)
    assert read_photograph(content).size == open_photograph(content).read_small(16).size == (32, 48)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "TIFF of 16 bits", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "upright"), [(1, (600, 300)), (3, (600, 300)), (6, (300, 600)), (7, (300, 600))]
)
def test_resolution_turns_with_the_image(kind: str, orientation: int, upright: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x011A], exif[0x011B], exif[0x0128] = orientation, 600.0, 300.0, 2
    if kind == "TIFF of 16 bits":
        content = tiff_of(
            DEEP_RGB, 2, resolution=(600, 300), resolutionunit=2, extratags=[(0x0112, 3, 1, orientation, True)]
        )
    else:
        content = _content(kind, exif=exif, **({} if kind == "WEBP" else {"dpi": (600, 300)}))
    metadata = _read(content)
    if kind != "WEBP":
        assert metadata.dpi == pytest.approx(upright, abs=0.02)
    kept = _parsed(metadata.exif)
    assert (kept[0x011A], kept[0x011B]) == pytest.approx(upright, abs=0.02)


def _raw_profile(name: str, data: bytes) -> str:
    """Returns a profile as the text that ImageMagick writes into a PNG file."""
    digits = data.hex()
    lines = "\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    return f"\n{name}\n{len(data):8d}\n{lines}\n"


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("keys", [("exif", "xmp"), ("APP1", "xmp"), ("exif", "APP1")])
def test_profiles_in_the_texts_of_a_png_file(keys: tuple[str, str], late: bool) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "Main Street, 1931"
    xmp = XMP % b"6"
    info = PngImagePlugin.PngInfo()
    for key, data in zip(keys, (exif.tobytes(), xmp), strict=True):
        head = b"http://ns.adobe.com/xap/1.0/\0" if (key, data) == ("APP1", xmp) else b""
        info.add_text(f"Raw profile type {key}", _raw_profile(key, head + data), zip=True)
    info.add_text("Raw profile type icc", _raw_profile("icc", ICC))
    info.add_text("Raw profile type iptc", _raw_profile("iptc", b"\x1c\x02\x05\x00\x06Market"))
    content = _content("PNG", Image.fromarray(RGB), pnginfo=info)
    if late:  # after the pixels
        chunks = sorted(png_chunks(content), key=lambda c: {b"IHDR": 0, b"IDAT": 1, b"IEND": 3}.get(c[0], 2))
        content = content[:8] + b"".join(chunk for _, chunk in chunks)
    photograph = read_photograph(content)
    assert photograph.size == (32, 48)
    metadata = photograph.metadata
    assert (metadata.icc, metadata.xmp, metadata.iptc) == (ICC, xmp, b"\x1c\x02\x05\x00\x06Market")
    assert _parsed(metadata.exif)[0x010E] == "Main Street, 1931"


@pytest.mark.parametrize("text", ["", "\n", "\nexif\n  4\nzz", "\nexif\n many\n00", "\nexif\n 3\n0"])
def test_a_broken_text_of_a_png_file_costs_no_photograph(text: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", text)
    assert _read(_content("PNG", pnginfo=info)) == Metadata()


@pytest.mark.parametrize("block", [b"Exif\x00\x00", b"Exif\x00\x00MM\x00*\xff\xff\xff\xff", b"Exif\x00\x00rubbish"])
def test_a_broken_exif_block_costs_no_photograph(block: bytes) -> None:
    buffer = io.BytesIO()
    GRAY.save(buffer, "PNG", exif=block)
    photograph = read_photograph(buffer.getvalue())
    np.testing.assert_array_equal(photograph.pixels, np.asarray(GRAY))
    assert photograph.metadata.exif is None
