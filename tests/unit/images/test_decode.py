"""Every pixel layout that archives hold is decoded upright; damaged files raise ImageError and nothing else."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_core.errors import ImageError
from colorize_core.images import decode, opening
from colorize_core.images.decode import open_photograph, read_photograph, read_rgb
from colorize_core.images.tiff import directory
from tests.support.image_files import DEEP, GRAY, LAYOUTS, RGB, Pixels, png_chunks, save, tiff
from tests.support.rare_files import ALL_FORMATS, ALL_LAYOUTS


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
def test_pixels_of_every_layout(layout: str) -> None:
    content, expected, alpha, tolerance = ALL_LAYOUTS[layout]
    photograph = read_photograph(content)
    assert photograph.pixels.dtype == (np.uint16 if expected.dtype == np.uint16 else np.uint8)
    assert photograph.size == (expected.shape[1], expected.shape[0])
    np.testing.assert_allclose(photograph.pixels.astype(float), expected, atol=tolerance)
    if alpha is None:
        assert photograph.alpha is None
    else:
        assert photograph.alpha is not None
        np.testing.assert_array_equal(photograph.alpha, alpha)


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
def test_small_gray_of_every_layout(layout: str) -> None:
    content, expected, _, tolerance = ALL_LAYOUTS[layout]
    reduced = open_photograph(content).read_small(4096)
    small, size = reduced.gray, reduced.size  # as many as the file has: nothing is reduced
    eight = expected >> 8 if expected.dtype == np.uint16 else expected
    gray = eight @ [0.299, 0.587, 0.114] if eight.ndim == 3 else eight
    assert (small.dtype, small.shape) == (np.uint8, expected.shape[:2])
    assert size == (expected.shape[1], expected.shape[0])
    np.testing.assert_allclose(small.astype(float), gray, atol=max(1, tolerance))


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
def test_rgb_of_every_layout(layout: str) -> None:
    content, expected, _, tolerance = ALL_LAYOUTS[layout]
    rgb = read_rgb(content)
    eight = expected >> 8 if expected.dtype == np.uint16 else expected
    assert rgb.dtype == np.uint8
    np.testing.assert_allclose(rgb.astype(float), eight if eight.ndim == 3 else np.dstack([eight] * 3), atol=tolerance)


# How a file stores what is to be seen upright, by EXIF orientation (EXIF 2.32, 4.6.4): where its row 0, column 0 go.
STORED: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda seen: seen,
    2: lambda seen: seen[:, ::-1],  # top right
    3: lambda seen: seen[::-1, ::-1],  # bottom right
    4: lambda seen: seen[::-1],  # bottom left
    5: lambda seen: seen.T,  # left top
    6: lambda seen: np.rot90(seen),  # right top
    7: lambda seen: seen[::-1, ::-1].T,  # right bottom
    8: lambda seen: np.rot90(seen, -1),  # left bottom
}


def _oriented(orientation: int, kind: str) -> tuple[bytes, NDArray[Any], int]:
    """Returns a turned file, its upright pixels, and the error in levels that its compression causes."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"exif": exif}
    if kind == "tiff-16-big-endian":
        deep = np.ascontiguousarray(STORED[orientation](DEEP))
        turned = tiff(">", deep.shape[1], deep.shape[0], 16, 1, deep.astype(">u2").tobytes(), 0x0112, orientation)
        return turned, DEEP, 0
    if kind == "webp":
        options["lossless"] = True
    if kind == "tiff-lzw":
        options["compression"] = "tiff_lzw"
    if kind == "jpeg":
        options["quality"] = 100
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](GRAY)))
    return save(stored, kind.partition("-")[0].upper(), **options), GRAY, 2 if kind == "jpeg" else 0


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "tiff-lzw", "tiff-16-big-endian", "webp"])
@pytest.mark.parametrize("orientation", STORED)
def test_orientation_is_applied_once(orientation: int, kind: str) -> None:
    content, seen, tolerance = _oriented(orientation, kind)
    photograph = read_photograph(content)
    assert photograph.size == (48, 32)
    np.testing.assert_allclose(photograph.pixels.astype(float), seen, atol=tolerance)
    reduced = open_photograph(content).read_small(4096)
    small, size = reduced.gray, reduced.size
    assert size == (48, 32)
    np.testing.assert_allclose(small.astype(float), seen >> 8 if seen.dtype == np.uint16 else seen, atol=tolerance)
    if photograph.metadata.exif:
        assert 0x0112 not in photograph.metadata.exif.main


def _png_with_late_exif(orientation: int) -> bytes:
    """Returns a PNG file with EXIF after its pixels, as the format allows."""
    content, _, _ = _oriented(orientation, "png")
    chunks = png_chunks(content)
    order = sorted(chunks, key=lambda chunk: {b"eXIf": 1, b"IEND": 2}.get(chunk[0], 0))
    assert [name for name, _ in order][-2:] == [b"eXIf", b"IEND"]
    return content[:8] + b"".join(chunk for _, chunk in order)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_in_xmp_alone(orientation: int) -> None:
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{orientation}"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    content = save(Image.fromarray(RGB), "JPEG", xmp=xmp.encode())
    expected = read_photograph(content).pixels
    assert (expected.shape[:2] == RGB.shape[:2]) == (orientation < 5)
    np.testing.assert_array_equal(read_rgb(content), expected)


def test_orientation_after_the_pixels_of_a_png_file() -> None:
    content = _png_with_late_exif(6)
    reduced = open_photograph(content).read_small(4096)
    small, size = reduced.gray, reduced.size
    assert size == (48, 32)
    for pixels in (small, read_photograph(content).pixels):
        np.testing.assert_array_equal(pixels, GRAY)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
@pytest.mark.parametrize("side", [32, 96, 256])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_small_jpeg_is_the_full_decode_reduced(photographs: dict[str, Pixels], name: str, side: int, mode: str) -> None:
    content = save(Image.fromarray(photographs[name]).convert(mode), "JPEG", quality=92)
    reduced = open_photograph(content).read_small(side)
    small, size = reduced.gray, reduced.size
    full = Image.open(io.BytesIO(content)).convert("L")
    assert size == full.size
    assert side <= min(small.shape)
    factor = round(min(size) / min(small.shape))
    assert factor == min(8, 2 ** int(np.log2(min(size) / side)))
    rows, columns = (factor * n for n in small.shape)
    padded = np.pad(np.asarray(full, float), ((0, rows - size[1]), (0, columns - size[0])), "edge")
    reduced = padded.reshape(small.shape[0], factor, small.shape[1], factor).mean(axis=(1, 3))
    assert np.abs(small - reduced).mean() < 1


@pytest.mark.parametrize("kind", ALL_FORMATS)
@pytest.mark.parametrize("read", [read_photograph, read_rgb, lambda content: open_photograph(content).read_small(16)])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_cut_off_file_is_damaged(kind: str, read: Callable[[bytes], Any], part: float) -> None:
    content = ALL_FORMATS[kind]
    with pytest.raises(ImageError) as caught:
        read(content[: int(len(content) * part)])
    assert caught.value.reason == "damaged"
    assert "\n" not in caught.value.message


def test_cut_off_png_with_late_exif_is_damaged() -> None:
    """Pillow decodes the pixels of such a file when EXIF is read."""
    content = _png_with_late_exif(6)
    with pytest.raises(ImageError, match="cannot be read"):
        open_photograph(content[: len(content) // 2]).read_small(16)


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        (b"", "empty", "the file has no bytes"),
        (b"Dear archive, this is no photograph.\n" * 9, "not_an_image", "none of the formats PNG, JPEG, WEBP, TIFF, BMP"),
        (bytes(5000), "not_an_image", "none of the formats PNG"),
        (b"\xff\xd8\xff", "damaged", "begins like a JPEG file"),
        (save(Image.fromarray(GRAY), "ICO"), "not_an_image", "none of the formats PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image", "none of the formats PNG"),
        (save(Image.fromarray(GRAY.astype(np.float32)), "TIFF"), "unsupported", "floats from 25 to 241"),
    ],
    ids=["empty", "text", "zeros", "stub", "ico", "eps", "float"],
)
@pytest.mark.parametrize("read", [read_photograph, read_rgb, lambda content: open_photograph(content).read_small(16)])
def test_what_is_no_photograph(content: bytes, reason: str, message: str, read: Callable[[bytes], Any]) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        read(content)
    assert caught.value.reason == reason


def _png_that_claims(width: int, height: int) -> bytes:
    content = save(Image.fromarray(GRAY), "PNG")
    header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def test_a_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(ImageError, match="30000x10001 is more than 300 Mpixel") as caught:
        read_photograph(_png_that_claims(30_000, 10_001))
    assert caught.value.reason == "too_large"


def test_what_pillow_holds_for_a_bomb_is_no_training_example() -> None:
    jpeg = bytearray(save(Image.fromarray(RGB), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 13_400, 13_400)  # 179.6 million pixels in 1 KB
    with pytest.raises(ImageError, match="13400x13400 is more than 178 Mpixel"):
        read_rgb(bytes(jpeg))


def test_the_limit_counts_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    content = LAYOUTS["png-L"][0]
    monkeypatch.setattr(decode, "MAX_PIXELS", 48 * 32)
    assert read_photograph(content).size == (48, 32)
    monkeypatch.setattr(decode, "MAX_PIXELS", 48 * 32 - 1)
    with pytest.raises(ImageError, match="48x32 is more than"):
        read_photograph(content)


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some damage before it goes on
@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_damage_gives_pixels_or_an_image_error_and_nothing_else(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_PIXELS", 1 << 20)  # a damaged header may claim gigabytes
    rng = random.Random(f"damage {kind}")  # noqa: S311
    intact = Image.Exif()
    intact[0x0112], intact[0x010E] = 6, "a description"
    content = ALL_FORMATS[kind]
    if kind in ("jpeg", "png", "tiff", "tiff-lzw", "webp"):
        whole = Image.open(io.BytesIO(content))
        content = save(whole, whole.format or "", exif=intact)
    outcomes = {"pixels": 0, "error": 0}
    for _ in range(200):
        damaged = bytearray(content)
        if rng.random() < 0.3:
            del damaged[rng.randrange(len(damaged)) :]
        for _ in range(rng.randint(1, 8)):
            if damaged:
                # Half of the hits go to the first bytes, where formats keep what decides how the rest is read.
                damaged[rng.randrange(min(len(damaged), rng.choice([64, 10**9])))] = rng.randrange(256)
        for read in (read_photograph, lambda content: open_photograph(content).read_small(16).gray):
            try:
                got = read(bytes(damaged))
            except ImageError:
                outcomes["error"] += 1
            else:
                assert (got if isinstance(got, np.ndarray) else got.pixels).size > 0
                outcomes["pixels"] += 1
    assert outcomes["error"] > 20
    assert outcomes["pixels"] > 0 or kind == "png-16"  # of which each byte is checked


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", True),
        ("album/A.JPEG", True),
        ("a.tiff", True),
        ("a.b.webp", True),
        ("a.jpg.txt", False),
        ("jpg", False),
        (".jpg", False),
        ("album/.hidden.jpg", False),
        ("._a.jpg", False),
        (".album/a.png", True),
        ("a.gif", True),
        ("a.JP2", True),
        ("a.pgm", True),
        ("a.ico", False),
    ],
)
def test_is_image_name(name: str, expected: bool) -> None:
    assert decode.is_image_name(name) is expected


@pytest.mark.parametrize("bits", [10, 11, 12])
def test_white_of_few_bits_is_white(bits: int) -> None:
    most = 2**bits - 1
    stored = np.tile(np.arange(0, most + 1, 2 ** (bits - 8) - 1, dtype=np.uint16), (64, 1))
    stored[0] = most
    content = imagecodecs.jpeg2k_encode(stored, level=0, bitspersample=bits, codecformat="jp2", reversible=True)
    expected = np.rint(stored * (65535 / most)).astype(np.uint16)
    np.testing.assert_array_equal(read_photograph(bytes(content)).pixels, expected)


def test_a_plain_file_may_end_with_its_last_number() -> None:
    numbers = (0, 1, 2, 65535, 65534, 300)
    content = ("P3\n2 1\n65535\n" + " ".join(map(str, numbers))).encode()
    np.testing.assert_array_equal(read_photograph(content).pixels.ravel(), numbers)


def _counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[None]:
    """Returns a list that grows with each call of the function."""
    calls: list[None] = []
    original = getattr(module, name)

    def counting(*arguments: Any) -> Any:
        calls.append(None)
        return original(*arguments)

    monkeypatch.setattr(module, name, counting)
    return calls


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_header_is_parsed_once_for_frames_and_the_first_reading(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = save(Image.fromarray(np.tile(RGB, (4, 4, 1))), kind)
    small, whole = open_photograph(content).read_small(16), read_photograph(content)
    parsed = _counted(monkeypatch, opening, "open_image")
    photograph = open_photograph(content)
    assert photograph.frames == [0]
    np.testing.assert_array_equal(photograph.read_small(16).gray, small.gray)
    assert len(parsed) == 1
    for _ in range(2):  # reading leaves nothing behind that changes the next one
        np.testing.assert_array_equal(photograph.read().pixels, whole.pixels)
        np.testing.assert_array_equal(photograph.read_small(16).gray, small.gray)


def test_directories_of_a_tiff_file_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    pages = [Image.fromarray(np.full((6, 8), number, np.uint8)) for number in range(3)]
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    offsets = open_photograph(buffer.getvalue()).frames
    parsed = _counted(monkeypatch, directory, "read")
    photograph = open_photograph(buffer.getvalue())
    assert photograph.frames == offsets
    for number, frame in enumerate(photograph.frames):
        assert photograph.read_small(4, frame).gray[0, 0] == number
        assert photograph.read_small(4, frame).size == (8, 6)
    assert len(parsed) == 3
