from __future__ import annotations

import io
import random
import xml.etree.ElementTree as ET
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, JpegImagePlugin
from skimage.metrics import peak_signal_noise_ratio

from colorize_core.errors import ImageError
from colorize_core.images import encode
from colorize_core.images.decode import read_photograph
from colorize_core.images.encode import FileFormat
from colorize_core.images.metadata import Metadata, provenance

_MADE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ICC = _MADE[:24] + bytes(12) + _MADE[36:]  # without the time at which it was made: each run damages the same bytes
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
FORMATS: tuple[FileFormat, ...] = ("png", "jpeg", "webp")


def _opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "Main Street, 1931"
    exif.get_ifd(0x8769)[0x9003] = "1931:05:04 10:00:00"
    return exif.tobytes()


def _alpha(height: int, width: int) -> NDArray[np.uint8]:
    return np.repeat(np.linspace(0, 255, width).astype(np.uint8)[None], height, axis=0)


def test_formats_and_their_suffixes() -> None:
    assert encode.FILE_FORMATS == FORMATS
    assert encode.SUFFIXES == {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


@pytest.mark.parametrize("name", ["astronaut", "rocket"])
@pytest.mark.parametrize(("file_format", "decibels"), [("png", np.inf), ("jpeg", 37), ("webp", 34)])
def test_round_trip(
    photographs: dict[str, NDArray[np.uint8]], name: str, file_format: FileFormat, decibels: float
) -> None:
    rgb = photographs[name]
    image = _opened(encode.encode(Image.fromarray(rgb), file_format))
    assert (image.format, image.mode, image.size) == (file_format.upper(), "RGB", (rgb.shape[1], rgb.shape[0]))
    assert image.info.keys().isdisjoint({"exif", "dpi", "icc_profile", "xmp", "XML:com.adobe.xmp"})
    back = np.asarray(image)
    if np.isinf(decibels):
        np.testing.assert_array_equal(back, rgb)
    else:
        assert peak_signal_noise_ratio(rgb, back) > decibels


def test_jpeg_does_not_halve_the_chroma(photographs: dict[str, NDArray[np.uint8]]) -> None:
    image = _opened(encode.encode(Image.fromarray(photographs["coffee"]), "jpeg"))
    assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4


@pytest.mark.parametrize("gray", [False, True])
def test_png_of_pixels(photographs: dict[str, NDArray[np.uint8]], gray: bool) -> None:
    pixels = photographs["chelsea"][..., 0] if gray else photographs["chelsea"]
    image = _opened(encode.png(np.ascontiguousarray(pixels)))
    assert image.format == "PNG"
    np.testing.assert_array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("file_format", FORMATS)
def test_metadata_are_kept(photographs: dict[str, NDArray[np.uint8]], file_format: FileFormat) -> None:
    metadata = Metadata(exif=_exif(), dpi=(300.0, 150.0), icc=ICC)
    image = _opened(encode.encode(Image.fromarray(photographs["rocket"]), file_format, metadata=metadata))
    exif = image.getexif()
    assert exif[0x010E] == "Main Street, 1931"
    assert exif.get_ifd(0x8769)[0x9003] == "1931:05:04 10:00:00"
    assert image.info["icc_profile"] == ICC
    if file_format != "webp":
        assert image.info["dpi"] == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF"])
def test_resolution_of_a_scan_reaches_every_format(
    photographs: dict[str, NDArray[np.uint8]], source: str, file_format: FileFormat
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(photographs["rocket"]).convert("L").save(buffer, source, dpi=(600, 600))
    metadata = read_photograph(buffer.getvalue()).metadata
    image = _opened(encode.encode(Image.fromarray(photographs["rocket"]), file_format, metadata=metadata))
    exif = image.getexif()
    assert (float(exif[0x011A]), float(exif[0x011B]), exif[0x0128]) == pytest.approx((600, 600, 2), abs=0.02)
    if file_format != "webp":
        assert image.info["dpi"] == pytest.approx((600, 600), abs=0.02)


@pytest.mark.parametrize("file_format", ["png", "webp"])
def test_alpha_is_kept(photographs: dict[str, NDArray[np.uint8]], file_format: FileFormat) -> None:
    rgb = photographs["coffee"][:64, :96]
    image = _opened(encode.encode(Image.fromarray(rgb), file_format, alpha=_alpha(64, 96)))
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image.getchannel("A")), _alpha(64, 96))
    opaque = np.asarray(image, float)[:, -8:, :3]
    assert np.abs(opaque - rgb[:, -8:]).mean() < 4


def test_jpeg_lays_alpha_on_white(photographs: dict[str, NDArray[np.uint8]]) -> None:
    rgb = photographs["coffee"][:64, :96]
    image = _opened(encode.encode(Image.fromarray(rgb), "jpeg", alpha=_alpha(64, 96)))
    assert image.mode == "RGB"
    part = _alpha(64, 96)[..., None] / 255
    on_white = np.rint(rgb * part + 255 * (1 - part)).astype(np.uint8)
    assert peak_signal_noise_ratio(on_white, np.asarray(image)) > 36
    assert np.asarray(image)[:, 0].min() > 245


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("name", ["scan.tif", 'Karl "der Große" & Söhne <1900>.jpg', "東京 '31\n.png", "bell\a.jpg"])
def test_xmp_marks_every_format(file_format: FileFormat, name: str) -> None:
    xmp = provenance(name, "unet-lab", "ab" * 32)
    image = _opened(encode.encode(Image.new("RGB", (9, 7), "red"), file_format, xmp=xmp))
    stored: Any = image.info["XML:com.adobe.xmp" if file_format == "png" else "xmp"]
    description = ET.fromstring(stored).find(f".//{RDF}Description")  # noqa: S314
    assert description is not None
    assert (
        description.attrib["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"]
        == "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    )
    in_xml = name.replace("\a", "\N{REPLACEMENT CHARACTER}")
    assert description.attrib["{http://purl.org/dc/elements/1.1/}source"] == in_xml


@pytest.mark.parametrize(("file_format", "longest"), [("jpeg", 65_500), ("webp", 16_383)])
@pytest.mark.parametrize("upright", [True, False])
def test_sides_up_to_the_limit_of_the_format(file_format: FileFormat, longest: int, upright: bool) -> None:
    fits, too_long = ((1, n) if upright else (n, 1) for n in (longest, longest + 1))
    assert _opened(encode.encode(Image.new("RGB", fits), file_format)).size == fits
    with pytest.raises(ImageError, match=f"{file_format} holds at most {longest} pixels a side") as caught:
        encode.encode(Image.new("RGB", too_long), file_format)
    assert caught.value.reason == "unsupported"


def test_exif_that_no_jpeg_can_hold_is_left_out() -> None:
    long = Image.Exif()
    long[0x010E] = "x" * 70_000
    image = Image.new("RGB", (9, 7), "red")
    metadata = Metadata(exif=long.tobytes(), dpi=(300.0, 300.0))
    assert _opened(encode.encode(image, "png", metadata=metadata)).getexif()[0x010E] == "x" * 70_000
    as_jpeg = _opened(encode.encode(image, "jpeg", metadata=metadata))
    assert len(as_jpeg.getexif()) == 0
    assert as_jpeg.info["dpi"] == (300, 300)


def _with_right_checksums(png: bytearray) -> bytearray:
    """A PNG file whose chunks are what they claim to be, as far as they can be told apart."""
    at = 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        png[end : end + 4] = zlib.crc32(png[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return png


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some damage before it goes on
@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_what_was_decoded_can_be_encoded(photographs: dict[str, NDArray[np.uint8]], source: str) -> None:
    """Damage that the decoder lets pass, as in metadata, does not stop the encoder."""
    rng = random.Random(f"encode {source}")  # noqa: S311
    buffer = io.BytesIO()
    small = Image.fromarray(photographs["astronaut"][90:122, 190:238])
    small.save(buffer, source, exif=_exif(), icc_profile=ICC, dpi=(300, 300))
    encoded = 0
    for _ in range(200):
        damaged = bytearray(buffer.getvalue())
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        if source == "PNG":
            damaged = _with_right_checksums(damaged)
        try:
            photograph = read_photograph(bytes(damaged))
            image = Image.fromarray(photograph.pixels).convert("RGB")
            for file_format in FORMATS:
                content = encode.encode(
                    image.copy(), file_format, alpha=photograph.alpha, metadata=photograph.metadata, xmp=b"<x/>"
                )
                assert _opened(content).size == photograph.size
                encoded += 1
        except ImageError:
            continue
    assert encoded >= 9
