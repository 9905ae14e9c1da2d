"""Pages of TIFF files are found by their directories, and their values are converted as the standard says."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2lab

from colorize_core.errors import ImageError
from colorize_core.images import decode
from colorize_core.images.decode import open_photograph, read_photograph
from colorize_core.images.tiff import directory
from tests.support.image_files import DEEP, DEEP_RGB, GRAY, tiff
from tests.support.rare_files import tiff_of


def _lightness(pixels: NDArray[Any]) -> NDArray[np.float64]:
    rgb = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)
    found: NDArray[np.float64] = rgb2lab(rgb)[..., 0]
    return found


# L of 0, 25, 50, 75 and 100 as each encoding has it (TIFF 6.0, section 23; Adobe's TIFF Technical Note 4).
@pytest.mark.parametrize(
    ("photometric", "stored", "zero"),
    [
        (8, np.array([0, 16384, 32768, 49151, 65535], np.uint16), 0),
        (9, np.array([0, 16320, 32640, 48960, 65280], np.uint16), 32768),
        (9, np.array([0, 64, 128, 191, 255], np.uint8), 128),
    ],
    ids=["CIELab-16", "ICCLab-16", "ICCLab-8"],
)
def test_lightness_of_lab(photometric: int, stored: NDArray[Any], zero: int) -> None:
    lab = np.stack([np.tile(stored, (4, 1)), *[np.full((4, 5), zero, stored.dtype)] * 2], axis=-1)
    seen = read_photograph(tiff_of(lab, photometric)).pixels
    assert seen.dtype == stored.dtype
    step = 100 / 65535 if stored.dtype == np.uint16 else 100 / 255
    np.testing.assert_allclose(_lightness(seen)[0], [0, 25, 50, 75, 100], atol=2 * step)


@pytest.mark.parametrize("order", ["<", ">"])
def test_white_as_zero(order: str) -> None:
    stored = np.array([[0, 1, 257, 65535]], np.uint16)
    seen = read_photograph(tiff(order, 4, 1, 16, 0, stored.astype(f"{order}u2").tobytes())).pixels
    np.testing.assert_array_equal(seen, [[65535, 65534, 65278, 0]])


def test_floats_from_black_to_white() -> None:
    seen = read_photograph(tiff_of(np.array([[0, 0.25, 0.5, 1]], np.float32), 1)).pixels
    np.testing.assert_array_equal(seen, [[0, 16384, 32768, 65535]])  # halves go to even numbers


@pytest.mark.parametrize(("value", "message"), [(1.5, "from 0 to 1.5"), (-0.1, "from -0.1 to 0"), (np.nan, "nan")])
def test_other_floats_are_not_guessed_at(value: float, message: str) -> None:
    floats = np.zeros((4, 5), np.float32)
    floats[2, 3] = value
    with pytest.raises(ImageError, match=message) as caught:
        read_photograph(tiff_of(floats, 1))
    assert caught.value.reason == "unsupported"


def _pages(count: int, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, **options) as file:
        for number in range(count):
            file.write(np.full((6, 8), number, np.uint16), metadata=None)
    return buffer.getvalue()


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}, {"bigtiff": True, "byteorder": ">"}])
def test_each_page_is_where_it_is_said_to_be(options: dict[str, Any]) -> None:
    content = _pages(5, **options)
    found = open_photograph(content).frames
    assert len(found) == 5
    for number, frame in enumerate(found):
        np.testing.assert_array_equal(read_photograph(content, frame).pixels, np.full((6, 8), number, np.uint16))
        assert open_photograph(content).read_small(4, frame).size == (8, 6)


def test_a_page_is_not_looked_for_among_the_others() -> None:
    for content in (_pages(4), _fax_pages(4)):
        _, second, _, last = open_photograph(content).frames
        seen = read_photograph(content, last).pixels
        broken = content[:second] + b"\xff" * 14 + content[second + 14 :]
        with pytest.raises(ImageError):
            _ = open_photograph(broken).frames
        np.testing.assert_array_equal(read_photograph(broken, last).pixels, seen)


def _fax_pages(count: int) -> bytes:
    pages = [Image.fromarray(40 * number < GRAY) for number in range(count)]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", compression="group4", save_all=True, append_images=pages[1:])
    return buffer.getvalue()


def test_pages_that_lead_back_to_the_first_end_there() -> None:
    content = bytearray(_pages(3))
    last = open_photograph(bytes(content)).frames[-1]
    after = last + 2 + 12 * struct.unpack_from("<H", content, last)[0]
    struct.pack_into("<I", content, after, directory.first(bytes(content)))
    assert len(open_photograph(bytes(content)).frames) == 3
    struct.pack_into("<I", content, after, len(content) + 100)
    with pytest.raises(ImageError, match="past its end: it may have been cut off") as caught:
        _ = open_photograph(bytes(content)).frames
    assert caught.value.reason == "damaged"


def test_too_many_pages_or_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    content = _pages(5)
    monkeypatch.setattr(decode, "MAX_PAGES", 5)
    monkeypatch.setattr(decode, "MAX_PIXELS_OF_PAGES", 5 * 48)
    assert len(open_photograph(content).frames) == 5
    monkeypatch.setattr(decode, "MAX_PIXELS_OF_PAGES", 5 * 48 - 1)
    with pytest.raises(ImageError, match="5 pages have") as caught:
        _ = open_photograph(content).frames
    assert caught.value.reason == "too_large"
    monkeypatch.setattr(decode, "MAX_PAGES", 4)
    with pytest.raises(ImageError, match="more than 4 pages"):
        _ = open_photograph(content).frames


def _patched(content: bytes, tag: int, value: int) -> bytes:
    """Returns a little-endian TIFF file with another value of a tag in its first page."""
    first = directory.first(content)
    entries = range(first + 2, first + 2 + 12 * struct.unpack_from("<H", content, first)[0], 12)
    [at] = [at for at in entries if struct.unpack_from("<H", content, at)[0] == tag]
    return content[: at + 8] + struct.pack("<I", value) + content[at + 12 :]


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        (_patched(tiff_of(DEEP_RGB, 2), 273, 1 << 30), "damaged", "piece 1 of 1 of its pixels lies outside"),
        (_patched(tiff_of(DEEP_RGB, 2), 257, 33), "damaged", "the file ends before its pixels do"),
        (_patched(tiff_of(DEEP_RGB, 2), 257, 0), "damaged", "the size 48x0: both sides"),
        (_patched(tiff_of(DEEP_RGB, 2, tile=(16, 16)), 322, 1 << 21), "damaged", "tiles of 2097152x16 are larger"),
        (_patched(tiff_of(DEEP_RGB, 2, tile=(16, 16)), 257, 64), "damaged", "6 of 12 pieces of the page are there"),
        (_patched(tiff_of(DEEP_RGB, 2, compression="jpeg2000"), 257, 16), "damaged", "48x32 in place of 48x16"),
        (_patched(tiff_of(DEEP, 1), 259, 34927), "unsupported", "1 channel of 16 bits, gray, compression 34927"),
        (_patched(tiff_of(DEEP_RGB, 2), 262, 32845), "unsupported", "color type 32845"),
        (tiff_of(DEEP.astype(np.complex64), 1), "unsupported", "1 channel of 64 bits"),
    ],
)
def test_what_cannot_be_read_is_told_from_what_is_broken(content: bytes, reason: str, message: str) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        read_photograph(content)
    assert caught.value.reason == reason


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_gray_with_alpha_wherever_the_channels_lie(planes: str) -> None:
    both = np.stack([GRAY, np.full_like(GRAY, 200)], axis=0 if planes == "separate" else -1)
    file = io.BytesIO()
    tifffile.imwrite(file, both, photometric="minisblack", planarconfig=planes, extrasamples=["unassalpha"])
    photograph = read_photograph(file.getvalue())
    np.testing.assert_array_equal(photograph.pixels, GRAY)
    assert photograph.alpha is not None
    assert np.all(photograph.alpha == 200)


def test_signed_values_are_not_guessed_at() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, (GRAY.astype(np.int16) - 128) * 256, photometric="minisblack")
    with pytest.raises(ImageError, match="1 channel of 16 signed bits, gray"):
        read_photograph(file.getvalue())
