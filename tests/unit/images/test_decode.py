"""Every pixel layout that archives hold is decoded, in full and reduced; a header is parsed once."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from colorize_core.images import decode, layouts, opening
from colorize_core.images.decode import open_photograph, read_photograph, read_rgb
from colorize_core.images.tiff import directory
from tests.support.image_files import RGB, Pixels, save
from tests.support.rare_files import ALL_LAYOUTS


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
    small, size = reduced.gray, reduced.size  # the file has fewer pixels, so that nothing is reduced
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


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
@pytest.mark.parametrize("side", [32, 96, 256])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_large_jpeg_is_reduced_while_it_is_decoded(
    photographs: dict[str, Pixels], monkeypatch: pytest.MonkeyPatch, name: str, side: int, mode: str
) -> None:
    monkeypatch.setattr(decode, "_LARGE", 1000)
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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("largest", [1 << 24, 100])
def test_a_photograph_is_decoded_once_unless_it_is_large(
    kind: str, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = save(Image.fromarray(np.tile(RGB, (4, 4, 1))), kind)
    whole = read_photograph(content)
    monkeypatch.setattr(decode, "_LARGE", largest)
    decoded = _counted(monkeypatch, layouts, "pixels_of")
    photograph = open_photograph(content)
    [frame] = photograph.frames
    photograph.read_small(16, frame)
    is_held = largest > 100
    assert photograph.holds(frame) == is_held
    np.testing.assert_array_equal(photograph.read(frame).pixels, whole.pixels)
    assert not photograph.holds(frame)
    assert len(decoded) == (1 if is_held or kind == "JPEG" else 2)


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
