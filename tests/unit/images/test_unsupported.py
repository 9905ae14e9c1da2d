"""Undamaged files of unsupported formats: the reason is not damage, and the message names the format."""

from __future__ import annotations

from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from colorize_core.errors import ImageError
from colorize_core.images import decode, unsupported
from colorize_core.images.formats import READABLE
from colorize_core.images.formats.image_format import ReadableFormat

DEEP = (np.arange(64 * 64).reshape(64, 64) % 4096).astype(np.uint16)
FLAT = (DEEP >> 4).astype(np.uint8)
FILES = {
    "a JPEG file of 12 bits": imagecodecs.jpeg8_encode(DEEP, bitspersample=12),
    "a lossless JPEG file": imagecodecs.ljpeg_encode(DEEP, bitspersample=12),
    "a JPEG-LS file": imagecodecs.jpegls_encode(FLAT),
    "a JPEG XL file": imagecodecs.jpegxl_encode(FLAT),
    "a JPEG XR file": imagecodecs.jpegxr_encode(FLAT),
    "an AVIF file": imagecodecs.avif_encode(FLAT),
    "a Photoshop file": b"8BPS\0\1" + bytes(99),
    "a PDF file": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "a DICOM file": bytes(128) + b"DICM" + bytes(99),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("read", [decode.open_photograph, decode.read_photograph, decode.read_rgb])
def test_what_is_not_read_is_named(kind: str, read: Callable[[bytes], object]) -> None:
    with pytest.raises(ImageError) as caught:
        read(FILES[kind])
    assert caught.value.reason == "unsupported"
    assert caught.value.message == f"{kind}, which is not read here: save it as TIFF or PNG"


def test_heic_is_read_with_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"\0\0\0\x18ftypheic" + bytes(99)
    monkeypatch.setattr(unsupported, "READABLE", tuple(each for each in READABLE if each.name != "heif"))
    assert unsupported.advice(content) == "a HEIC file, which is not read here: install colorize with the extra heic"


@pytest.mark.parametrize(("name", "content"), [("heif", b"\0\0\0\x18ftypheic"), ("avif", FILES["an AVIF file"][:16])])
def test_a_file_of_a_readable_format_that_is_cut_is_not_unsupported(
    monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    readable = {each.name: each for each in (*READABLE, ReadableFormat(name, (f".{name}",)))}
    monkeypatch.setattr(unsupported, "READABLE", tuple(readable.values()))
    assert unsupported.advice(content) == ""


@pytest.mark.parametrize("cut", [2, 3, 4, 10, 50, 150, 200])
def test_a_jpeg_file_that_is_cut_is_damaged(cut: int) -> None:
    content = imagecodecs.jpeg8_encode(np.asarray(Image.effect_noise((64, 64), 50)))[:cut]
    assert unsupported.advice(content) == ""
    with pytest.raises(ImageError) as caught:
        decode.read_photograph(content)
    assert caught.value.reason in ("damaged", "not_an_image")


def test_segments_without_end_end() -> None:
    assert unsupported.advice(b"\xff\xd8" + b"\xff\xe0\0\0" * 1000) == ""
    assert unsupported.advice(b"\xff\xd8" + b"\xff" * 100_000) == ""
