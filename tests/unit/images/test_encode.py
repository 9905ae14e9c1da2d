"""Pixels in every format: depth, alpha, limits and options."""

from __future__ import annotations

import io
import random
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, TiffImagePlugin
from skimage.metrics import peak_signal_noise_ratio

from colorize_core.errors import ImageError
from colorize_core.images import encode, png
from colorize_core.images.decode import read_photograph
from colorize_core.images.encode import Encoding
from colorize_core.images.metadata import Metadata, exif
from colorize_core.images.metadata.provenance import Provenance, is_ours, marked
from colorize_core.inference.merging import merge
from tests.unit.images.encoder_inputs import COMPRESSIONS, ICC, WRITTEN, exif_block, open_encoded


def _alpha(height: int, width: int) -> NDArray[np.uint8]:
    return np.repeat(np.linspace(0, 255, width).astype(np.uint8)[None], height, axis=0)


@pytest.mark.parametrize("name", ["astronaut", "rocket"])
@pytest.mark.parametrize(("file_format", "decibels"), [("png", np.inf), ("jpeg", 37), ("webp", 34), ("tiff", np.inf)])
def test_round_trip(photographs: dict[str, NDArray[np.uint8]], name: str, file_format: str, decibels: float) -> None:
    rgb = photographs[name]
    image = open_encoded(encode.encode(rgb, Encoding(file_format)))
    assert (image.format, image.mode, image.size) == (file_format.upper(), "RGB", (rgb.shape[1], rgb.shape[0]))
    assert image.info.keys().isdisjoint({"exif", "dpi", "icc_profile", "xmp", "XML:com.adobe.xmp"})
    back = np.asarray(image)
    if np.isinf(decibels):
        np.testing.assert_array_equal(back, rgb)
    else:
        assert peak_signal_noise_ratio(rgb, back) > decibels


def test_jpeg_does_not_halve_the_chroma(photographs: dict[str, NDArray[np.uint8]]) -> None:
    image = open_encoded(encode.encode(photographs["coffee"], Encoding("jpeg")))
    assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4


@pytest.mark.parametrize("gray", [False, True])
def test_png_of_pixels(photographs: dict[str, NDArray[np.uint8]], gray: bool) -> None:
    pixels = photographs["chelsea"][..., 0] if gray else photographs["chelsea"]
    image = open_encoded(png.encode(np.ascontiguousarray(pixels)))
    assert image.format == "PNG"
    np.testing.assert_array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("file_format", ["png", "webp", "tiff"])
def test_alpha_is_kept(photographs: dict[str, NDArray[np.uint8]], file_format: str) -> None:
    rgb = photographs["coffee"][:64, :96]
    image = open_encoded(encode.encode(rgb, Encoding(file_format), alpha=_alpha(64, 96)))
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image.getchannel("A")), _alpha(64, 96))
    opaque = np.asarray(image, float)[:, -8:, :3]
    assert np.abs(opaque - rgb[:, -8:]).mean() < 4


def test_jpeg_lays_alpha_on_white(photographs: dict[str, NDArray[np.uint8]]) -> None:
    rgb = photographs["coffee"][:64, :96]
    image = open_encoded(encode.encode(rgb, Encoding("jpeg"), alpha=_alpha(64, 96)))
    assert image.mode == "RGB"
    part = _alpha(64, 96)[..., None] / 255
    on_white = np.rint(rgb * part + 255 * (1 - part)).astype(np.uint8)
    assert peak_signal_noise_ratio(on_white, np.asarray(image)) > 36
    assert np.asarray(image)[:, 0].min() > 245


@pytest.mark.parametrize(("file_format", "longest"), [("jpeg", 65_500), ("webp", 16_383)])
@pytest.mark.parametrize("upright", [True, False])
def test_sides_up_to_the_limit_of_the_format(file_format: str, longest: int, upright: bool) -> None:
    fits, too_long = ((n, 1) if upright else (1, n) for n in (longest, longest + 1))
    assert open_encoded(encode.encode(np.zeros((*fits, 3), np.uint8), Encoding(file_format))).size == fits[::-1]
    with pytest.raises(ImageError, match=f"{file_format} holds at most {longest} pixels a side") as caught:
        encode.encode(np.zeros((*too_long, 3), np.uint8), Encoding(file_format))
    assert caught.value.reason == "unsupported"


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
    small.save(buffer, source, exif=exif_block(), icc_profile=ICC, dpi=(300, 300))
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
            for file_format in WRITTEN:
                content = encode.encode(
                    pixels, Encoding(file_format), alpha=photograph.alpha, metadata=photograph.metadata, xmp=b"<x/>"
                )
                assert open_encoded(content).size == photograph.size
                encoded += 1
        except ImageError:
            continue
    assert encoded >= 12


@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize(
    "how", [Encoding("png"), *(Encoding("tiff", tiff_compression=c) for c in COMPRESSIONS)], ids=str
)
def test_16_bits_a_channel(how: Encoding, with_alpha: bool) -> None:
    deep = np.random.default_rng(7).integers(0, 65536, (64, 96, 3)).astype(np.uint16)
    alpha = _alpha(64, 96) if with_alpha else None
    metadata = Metadata(exif=exif.read(exif_block(), (96, 64)), dpi=(300.0, 150.0), icc=ICC)
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
    image = open_encoded(encode.encode(rgb, Encoding("tiff", tiff_compression=compression)))
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
