from __future__ import annotations

import io
import random
import xml.etree.ElementTree as ET
import zlib
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms, JpegImagePlugin, TiffImagePlugin
from skimage.metrics import peak_signal_noise_ratio

from colorize_core.archiving.stages.merge import colorize
from colorize_core.errors import ImageError
from colorize_core.images import encode, png
from colorize_core.images.decode import read_photograph
from colorize_core.images.encode import Encoding
from colorize_core.images.metadata import Metadata, exif
from colorize_core.images.metadata.provenance import Provenance, is_ours, marked
from colorize_core.inference.merging import merge

_MADE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ICC = _MADE[:24] + bytes(12) + _MADE[36:]  # without the time at which it was made: each run damages the same bytes
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
FORMATS = ("png", "jpeg", "webp", "tiff")
COMPRESSIONS = ("lzw", "deflate", "none")
RED: NDArray[np.uint8] = np.full((7, 9, 3), (255, 0, 0), np.uint8)


def _opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def _exif_block() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "Main Street, 1931"
    exif.get_ifd(0x8769)[0x9003] = "1931:05:04 10:00:00"
    return exif.tobytes()


def _alpha(height: int, width: int) -> NDArray[np.uint8]:
    return np.repeat(np.linspace(0, 255, width).astype(np.uint8)[None], height, axis=0)


@pytest.mark.parametrize("name", ["astronaut", "rocket"])
@pytest.mark.parametrize(("file_format", "decibels"), [("png", np.inf), ("jpeg", 37), ("webp", 34), ("tiff", np.inf)])
def test_round_trip(photographs: dict[str, NDArray[np.uint8]], name: str, file_format: str, decibels: float) -> None:
    rgb = photographs[name]
    image = _opened(encode.encode(rgb, Encoding(file_format)))
    assert (image.format, image.mode, image.size) == (file_format.upper(), "RGB", (rgb.shape[1], rgb.shape[0]))
    assert image.info.keys().isdisjoint({"exif", "dpi", "icc_profile", "xmp", "XML:com.adobe.xmp"})
    back = np.asarray(image)
    if np.isinf(decibels):
        np.testing.assert_array_equal(back, rgb)
    else:
        assert peak_signal_noise_ratio(rgb, back) > decibels


def test_jpeg_does_not_halve_the_chroma(photographs: dict[str, NDArray[np.uint8]]) -> None:
    image = _opened(encode.encode(photographs["coffee"], Encoding("jpeg")))
    assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4


@pytest.mark.parametrize("gray", [False, True])
def test_png_of_pixels(photographs: dict[str, NDArray[np.uint8]], gray: bool) -> None:
    pixels = photographs["chelsea"][..., 0] if gray else photographs["chelsea"]
    image = _opened(png.encode(np.ascontiguousarray(pixels)))
    assert image.format == "PNG"
    np.testing.assert_array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("file_format", FORMATS)
def test_metadata_are_kept(photographs: dict[str, NDArray[np.uint8]], file_format: str) -> None:
    metadata = Metadata(exif=exif.read(_exif_block(), (9, 7)), dpi=(300.0, 150.0), icc=ICC)
    image = _opened(encode.encode(photographs["rocket"], Encoding(file_format), metadata=metadata))
    found = image.getexif()
    assert found[0x010E] == "Main Street, 1931"
    assert found.get_ifd(0x8769)[0x9003] == "1931:05:04 10:00:00"
    assert image.info["icc_profile"] == ICC
    if file_format != "webp":
        assert image.info["dpi"] == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF"])
def test_resolution_of_a_scan_reaches_every_format(
    photographs: dict[str, NDArray[np.uint8]], source: str, file_format: str
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(photographs["rocket"]).convert("L").save(buffer, source, dpi=(600, 600))
    metadata = read_photograph(buffer.getvalue()).metadata
    image = _opened(encode.encode(photographs["rocket"], Encoding(file_format), metadata=metadata))
    exif = image.getexif()
    assert (float(exif[0x011A]), float(exif[0x011B]), exif[0x0128]) == pytest.approx((600, 600, 2), abs=0.02)
    if file_format != "webp":
        assert image.info["dpi"] == pytest.approx((600, 600), abs=0.02)


@pytest.mark.parametrize("file_format", ["png", "webp", "tiff"])
def test_alpha_is_kept(photographs: dict[str, NDArray[np.uint8]], file_format: str) -> None:
    rgb = photographs["coffee"][:64, :96]
    image = _opened(encode.encode(rgb, Encoding(file_format), alpha=_alpha(64, 96)))
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image.getchannel("A")), _alpha(64, 96))
    opaque = np.asarray(image, float)[:, -8:, :3]
    assert np.abs(opaque - rgb[:, -8:]).mean() < 4


def test_jpeg_lays_alpha_on_white(photographs: dict[str, NDArray[np.uint8]]) -> None:
    rgb = photographs["coffee"][:64, :96]
    image = _opened(encode.encode(rgb, Encoding("jpeg"), alpha=_alpha(64, 96)))
    assert image.mode == "RGB"
    part = _alpha(64, 96)[..., None] / 255
    on_white = np.rint(rgb * part + 255 * (1 - part)).astype(np.uint8)
    assert peak_signal_noise_ratio(on_white, np.asarray(image)) > 36
    assert np.asarray(image)[:, 0].min() > 245


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("name", ["scan.tif", 'Karl "der Große" & Söhne <1900>.jpg', "東京 '31\n.png", "bell\a.jpg"])
def test_xmp_marks_every_format(file_format: str, name: str) -> None:
    xmp = marked(Provenance(name, "unet-lab", "ab" * 32))
    image = _opened(encode.encode(RED, Encoding(file_format), xmp=xmp))
    stored: Any = image.info["XML:com.adobe.xmp" if file_format == "png" else "xmp"]
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


@pytest.mark.parametrize(("file_format", "longest"), [("jpeg", 65_500), ("webp", 16_383)])
@pytest.mark.parametrize("upright", [True, False])
def test_sides_up_to_the_limit_of_the_format(file_format: str, longest: int, upright: bool) -> None:
    fits, too_long = ((n, 1) if upright else (1, n) for n in (longest, longest + 1))
    assert _opened(encode.encode(np.zeros((*fits, 3), np.uint8), Encoding(file_format))).size == fits[::-1]
    with pytest.raises(ImageError, match=f"{file_format} holds at most {longest} pixels a side") as caught:
        encode.encode(np.zeros((*too_long, 3), np.uint8), Encoding(file_format))
    assert caught.value.reason == "unsupported"


def test_exif_that_no_jpeg_can_hold_is_left_out() -> None:
    long = Image.Exif()
    long[0x010E] = "x" * 70_000
    metadata = Metadata(exif=exif.read(long.tobytes(), (9, 7)), dpi=(300.0, 300.0))
    assert _opened(encode.encode(RED, Encoding("png"), metadata=metadata)).getexif()[0x010E] == "x" * 70_000
    as_jpeg = _opened(encode.encode(RED, Encoding("jpeg"), metadata=metadata))
    assert len(as_jpeg.getexif()) == 0
    assert as_jpeg.info["dpi"] == (300, 300)


def _with_right_checksums(png: bytearray) -> bytearray:
    """Returns a damaged PNG file with correct checksums, so that decoders parse its chunks."""
    at = 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        png[end : end + 4] = zlib.crc32(png[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return png


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some damage before it goes on
@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_what_was_decoded_can_be_encoded(photographs: dict[str, NDArray[np.uint8]], source: str) -> None:
    """Damage that the decoder accepts, for instance in metadata, does not stop the encoder."""
    rng = random.Random(f"encode {source}")  # noqa: S311
    buffer = io.BytesIO()
    small = Image.fromarray(photographs["astronaut"][90:122, 190:238])
    small.save(buffer, source, exif=_exif_block(), icc_profile=ICC, dpi=(300, 300))
    encoded = 0
    for _ in range(200):
        damaged = bytearray(buffer.getvalue())
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        if source == "PNG":
            damaged = _with_right_checksums(damaged)
        try:
            photograph = read_photograph(bytes(damaged))
            pixels = merge(photograph.pixels, np.zeros((2, 2, 2), np.float32))
            for file_format in FORMATS:
                content = encode.encode(
                    pixels, Encoding(file_format), alpha=photograph.alpha, metadata=photograph.metadata, xmp=b"<x/>"
                )
                assert _opened(content).size == photograph.size
                encoded += 1
        except ImageError:
            continue
    assert encoded >= 12


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_xmp_packet_that_does_not_fit_gives_way(file_format: str) -> None:
    long = marked(Provenance("x" * 70_000, "m", "d"))
    content = encode.encode(RED, Encoding("png"), xmp=long)
    made = colorize(
        read_photograph(content), np.zeros((2, 2, 2), np.float32), Encoding(file_format), Provenance("a.png", "m", "d")
    )
    found = read_photograph(made.content).metadata.xmp or b""
    assert is_ours(io.BytesIO(found))
    assert b"a.png" in found
    unfit = marked(Provenance("x" * 70_000, "m", "d"), None)
    assert Encoding(file_format).holds(unfit) == (file_format != "jpeg")


@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize(
    "how", [Encoding("png"), *(Encoding("tiff", tiff_compression=c) for c in COMPRESSIONS)], ids=str
)
def test_16_bits_a_channel(how: Encoding, with_alpha: bool) -> None:
    deep = np.random.default_rng(7).integers(0, 65536, (64, 96, 3)).astype(np.uint16)
    alpha = _alpha(64, 96) if with_alpha else None
    metadata = Metadata(exif=exif.read(_exif_block(), (96, 64)), dpi=(300.0, 150.0), icc=ICC)
    content = encode.encode(deep, how, alpha=alpha, metadata=metadata, xmp=marked(Provenance("a", "m", "d")))
    photograph = read_photograph(content)
    np.testing.assert_array_equal(photograph.pixels, deep)
    assert (photograph.depth, photograph.alpha is not None) == (16, with_alpha)
    if alpha is not None:
        np.testing.assert_array_equal(photograph.alpha, alpha)
    assert photograph.metadata.icc == ICC
    assert photograph.metadata.dpi == pytest.approx((300, 150), abs=0.02)
    assert photograph.metadata.exif is not None
    assert photograph.metadata.exif.main[0x010E].value == b"Main Street, 1931"
    assert b"DigitalSourceType" in (photograph.metadata.xmp or b"")
    assert is_ours(io.BytesIO(content))


@pytest.mark.parametrize(("compression", "code"), [("none", 1), ("lzw", 5), ("deflate", 8)])
@pytest.mark.parametrize("shape", [(1, 1), (700, 2000), (3, 1)])
def test_tiff_is_packed_as_asked_for(
    photographs: dict[str, NDArray[np.uint8]], compression: str, code: int, shape: tuple[int, int]
) -> None:
    rgb = np.resize(photographs["coffee"], (*shape, 3))
    image = _opened(encode.encode(rgb, Encoding("tiff", tiff_compression=compression)))
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    assert image.tag_v2[259] in (code, 32946 if code == 8 else code)
    np.testing.assert_array_equal(np.asarray(image), rgb)


def test_quality_and_level(photographs: dict[str, NDArray[np.uint8]]) -> None:
    rgb = photographs["rocket"]
    for file_format in ("jpeg", "webp"):
        low, usual, high = (len(encode.encode(rgb, Encoding(file_format, quality=q))) for q in (30, 92, 100))
        assert low < usual / 2 < usual < high
        assert usual == len(encode.encode(rgb, Encoding(file_format)))
    deep = rgb.astype(np.uint16) << 8
    for pixels in (rgb, deep):
        none, one, nine = (len(encode.encode(pixels, Encoding(png_level=level))) for level in (0, 1, 9))
        assert none > one > nine


@pytest.mark.parametrize(
    ("how", "text", "deep"),
    [
        (Encoding(), "", True),
        (Encoding("png", png_level=6), " png_level=6", True),
        (Encoding("png", quality=10), "", True),
        (Encoding("jpeg", quality=10), " quality=10", False),
        (Encoding("webp"), "", False),
        (Encoding("tiff", tiff_compression="none"), " tiff_compression=none", True),
    ],
)
def test_what_an_encoding_says_of_itself_and_holds(how: Encoding, text: str, deep: bool) -> None:
    assert str(how) == text
    assert how.dtype(8) == np.uint8
    assert how.dtype(16) == (np.uint16 if deep else np.uint8)


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
    made = colorize(read_photograph(content), np.zeros((2, 2, 2), np.float32), how, Provenance("a", "m", "d"))
    image = _opened(made.content)
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
        made = colorize(read_photograph(content), np.zeros((2, 2, 2), np.float32), how, Provenance("a", "m", "d"))
        found = read_photograph(made.content).metadata.dpi
        assert found == pytest.approx((300, 300), abs=0.02) or read_photograph(content).metadata.dpi is None
