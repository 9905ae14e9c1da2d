"""Damaged, oversized and foreign files raise ImageError and nothing else."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colorize_core.errors import ImageError
from colorize_core.images import decode
from colorize_core.images.decode import open_photograph, read_photograph, read_rgb
from tests.support.image_files import GRAY, LAYOUTS, RGB, save
from tests.support.rare_files import ALL_FORMATS


@pytest.mark.parametrize("kind", ALL_FORMATS)
@pytest.mark.parametrize("read", [read_photograph, read_rgb, lambda content: open_photograph(content).read_small(16)])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_cut_off_file_is_damaged(kind: str, read: Callable[[bytes], Any], part: float) -> None:
    content = ALL_FORMATS[kind]
    with pytest.raises(ImageError) as caught:
        read(content[: int(len(content) * part)])
    assert caught.value.reason == "damaged"
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        (b"", "empty", "the file has no bytes"),
        (
            b"Dear archive, this is no photograph.\n" * 9,
            "not_an_image",
            "formats PNG, JPEG, WEBP, TIFF, BMP",
        ),
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
                # Half of the changes are in the first bytes, which decide how the rest is read.
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
    assert outcomes["pixels"] > 0 or kind == "png-16"  # a checksum covers each byte
