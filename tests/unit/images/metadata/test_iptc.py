"""IPTC records as other programs write them are read, and written into every format."""

from __future__ import annotations

import io
import struct
from typing import Literal

import numpy as np
import pytest
import tifffile
from PIL import Image, IptcImagePlugin, JpegImagePlugin, TiffImagePlugin

from colorize_core.images import encode
from colorize_core.images.decode import read_photograph
from colorize_core.images.encode import Encoding
from colorize_core.images.metadata import Metadata, iptc
from colorize_core.images.tiff import directory


def record(number: int, dataset: int, text: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, number, dataset, len(text)) + text


RECORDS = record(1, 90, b"\x1b%G") + record(2, 5, "Märkte".encode()) + record(2, 120, b"A market, 1931")
PIXELS = np.full((7, 9, 3), 90, np.uint8)


def _tiff(kind: str, count: int, order: Literal["<", ">"] = "<") -> bytes:
    value = RECORDS + b"\0" * (-len(RECORDS) % 4)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, PIXELS, byteorder=order, extratags=[(directory.IPTC, kind, count, value, True)])
    return buffer.getvalue()


def _written(file_format: str, records: bytes = RECORDS) -> bytes:
    return encode.encode(PIXELS, Encoding(file_format), metadata=Metadata(iptc=records))


def _read(content: bytes) -> bytes | None:
    return read_photograph(content).metadata.iptc


@pytest.mark.parametrize("file_format", ["jpeg", "png", "tiff"])
@pytest.mark.parametrize("records", [RECORDS, RECORDS + record(2, 25, b"x")])
def test_records_reach_every_format_that_has_a_place_for_them(file_format: str, records: bytes) -> None:
    assert _read(_written(file_format, records)) == records


def test_webp_has_no_place() -> None:
    assert _read(_written("webp")) is None


@pytest.mark.parametrize("file_format", ["jpeg", "tiff"])
def test_pillow_reads_them(file_format: str) -> None:
    image = Image.open(io.BytesIO(_written(file_format)))
    assert isinstance(image, (JpegImagePlugin.JpegImageFile, TiffImagePlugin.TiffImageFile))
    assert IptcImagePlugin.getiptcinfo(image)[(2, 120)] == b"A market, 1931"  # type: ignore[index]


def test_a_tiff_file_may_call_them_numbers() -> None:
    padded = RECORDS + b"\0" * (-len(RECORDS) % 4)
    for content in (_tiff("I", len(padded) // 4), _tiff("I", len(padded) // 4, ">"), _tiff("B", len(padded))):
        assert _read(content) == padded


def test_other_resources_stand_before_them() -> None:
    other = b"8BIM" + struct.pack(">HBcI", 0x03F3, 1, b"n", 5) + b"12345\0"
    payload = b"Photoshop 3.0\0" + other + iptc.jpeg_segment(RECORDS)[18:]
    buffer = io.BytesIO()
    segment = struct.pack(">HH", 0xFFED, len(payload) + 2) + payload
    Image.fromarray(PIXELS).save(buffer, "JPEG", extra=segment)
    assert _read(buffer.getvalue()) == RECORDS


def test_records_that_no_jpeg_can_hold_are_left_out() -> None:
    many = record(2, 120, b"x" * 32_000) * 3
    assert iptc.jpeg_segment(many) == b""
    assert _read(_written("jpeg", many)) is None
    assert _read(_written("png", many)) == many


@pytest.mark.parametrize("text", ["", "rubbish", "\niptc\n 4\nzz", "\niptc\n 2\n1c", "\niptc\n 9\n3842494d"])
def test_a_broken_text_costs_nothing(text: str) -> None:
    image = Image.fromarray(PIXELS)
    buffer = io.BytesIO()
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Raw profile type iptc", text, zip=True)
    image.save(buffer, "PNG", pnginfo=info)
    found = _read(buffer.getvalue())
    assert found in (None, b"\x1c")
