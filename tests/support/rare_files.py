"""Layouts that Pillow refuses or reads to 8 bits: each as a file, and the pixels that it must give; with all others."""

from __future__ import annotations

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from skimage import color as reference

from tests.support.image_files import (
    ALPHA,
    BRADFORD_D50_TO_D65,
    DEEP,
    DEEP_ALPHA,
    DEEP_RGB,
    FORMATS,
    GRAY,
    LAYOUTS,
    RGB,
    Pixels,
    tiff,
)

THICK: Pixels = np.repeat(np.linspace(64, 255, 48).astype(np.uint8)[None], 32, axis=0)  # alpha of which none is 0


def tiff_of(pixels: NDArray[Any], photometric: str | int, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric=photometric, metadata=None, **options)
    return buffer.getvalue()


def _with(pixels: NDArray[Any], *more: NDArray[Any]) -> NDArray[Any]:
    return np.dstack([pixels, *more])


def _lab() -> tuple[NDArray[np.float64], NDArray[np.uint16]]:
    """Returns moderate colors in Lab, and the same in sRGB by scikit-image, after chromatic adaptation."""
    lightness, a, b = np.meshgrid(np.arange(20, 91, 10.0), np.arange(-24, 25, 8.0), np.arange(-24, 25, 8.0))
    lab = np.stack([lightness, a, b], axis=-1).reshape(14, -1, 3)
    rgb = reference.xyz2rgb(reference.lab2xyz(lab, illuminant="D50") @ BRADFORD_D50_TO_D65.T)
    return lab, np.rint(rgb * 65535).astype(np.uint16)


LAB, LAB_AS_RGB = _lab()
# TIFF 6.0, section 23, and 256 times a and b in 16 bits; Adobe's TIFF Technical Note 4: unsigned, L to 0xFF00.
CIELAB_16 = _with(
    np.rint(LAB[..., 0] * 655.35).astype(np.uint16), (LAB[..., 1:] * 256).astype(np.int16).view(np.uint16)
)
ICCLAB_16 = _with(np.rint(LAB[..., 0] * 652.8), LAB[..., 1:] * 256 + 32768).astype(np.uint16)
ICCLAB_8 = _with(np.rint(LAB[..., 0] * 2.55), LAB[..., 1:] + 128).astype(np.uint8)

TIFF_LAYOUTS: dict[str, tuple[bytes, NDArray[Any], Pixels | None, float]] = {
    "tiff-16-white-is-0-big": (tiff(">", 48, 32, 16, 0, (65535 - DEEP).astype(">u2").tobytes()), DEEP, None, 0),
    "tiff-16-white-is-0-lzw": (tiff_of(65535 - DEEP, "miniswhite", compression="lzw"), DEEP, None, 0),
    "tiff-LA-16": (tiff_of(_with(DEEP, DEEP_ALPHA), 1, extrasamples=[2], planarconfig=1), DEEP, ALPHA, 0),
    "tiff-LA-16-planes": (
        tiff_of(np.stack([DEEP, DEEP_ALPHA]), 1, extrasamples=[2], planarconfig=2, rowsperstrip=5, compression="lzw"),
        DEEP,
        ALPHA,
        0,
    ),
    "tiff-LA-16-premultiplied": (
        tiff_of(
            _with(np.rint(DEEP * (THICK / 255)).astype(np.uint16), THICK.astype(np.uint16) * 257),
            1,
            extrasamples=[1],
            planarconfig=1,
        ),
        DEEP,
        THICK,
        2,
    ),
    "tiff-16-infrared": (tiff_of(_with(DEEP, DEEP_ALPHA), 1, extrasamples=[0], planarconfig=1), DEEP, None, 0),
    "tiff-LA-premultiplied": (
        tiff_of(_with(np.rint(GRAY * (THICK / 255)).astype(np.uint8), THICK), 1, extrasamples=[1], planarconfig=1),
        GRAY,
        THICK,
        3,
    ),
    "tiff-RGB-two-more": (tiff_of(_with(RGB, GRAY, ALPHA), 2, extrasamples=[0, 2]), RGB, ALPHA, 0),
    "tiff-RGB-16-two-more": (
        tiff_of(_with(DEEP_RGB, DEEP_ALPHA, DEEP), 2, extrasamples=[2, 0], byteorder=">"),
        DEEP_RGB,
        ALPHA,
        0,
    ),
    "tiff-RGB-32": (tiff_of(DEEP_RGB.astype(np.uint32) << 16, 2, compression="zlib"), DEEP_RGB, None, 0),
    "tiff-Lab-16": (tiff_of(CIELAB_16, 8), LAB_AS_RGB, None, 10),
    "tiff-Lab-16-tiles": (tiff_of(CIELAB_16, 8, compression="zlib", tile=(16, 16)), LAB_AS_RGB, None, 10),
    "tiff-ICCLab-16": (tiff_of(ICCLAB_16, 9, byteorder=">"), LAB_AS_RGB, None, 10),
    "tiff-ICCLab": (tiff_of(ICCLAB_8, 9), np.rint(LAB_AS_RGB / 257), None, 2),
    "tiff-big": (tiff_of(GRAY, 1, bigtiff=True), GRAY, None, 0),
    "tiff-big-big-endian": (tiff_of(GRAY, 1, bigtiff=True, byteorder=">"), GRAY, None, 0),
    "tiff-big-16-big-endian": (
        tiff_of(DEEP, 1, bigtiff=True, byteorder=">", predictor=2, compression=8),
        DEEP,
        None,
        0,
    ),
    "tiff-big-RGB-big-endian": (tiff_of(RGB, 2, bigtiff=True, byteorder=">", tile=(32, 32)), RGB, None, 0),
    "tiff-jpeg2000": (tiff_of(GRAY, 1, compression="jpeg2000"), GRAY, None, 0),
    "tiff-RGB-jpeg2000": (tiff_of(RGB, 2, compression="jpeg2000", tile=(32, 32)), RGB, None, 0),
    "tiff-RGB-16-jpeg2000": (tiff_of(DEEP_RGB, 2, compression="jpeg2000", rowsperstrip=16), DEEP_RGB, None, 0),
    "tiff-float": (tiff_of((DEEP / 65535).astype(np.float32), 1), DEEP, None, 0),
    "tiff-float-64": (tiff_of(DEEP / 65535, 1, compression="zlib", predictor=3), DEEP, None, 0),
    "tiff-RGB-float": (tiff_of((DEEP_RGB / 65535).astype(np.float32), 2, byteorder=">"), DEEP_RGB, None, 0),
    "tiff-RGB-float-16": (tiff_of((DEEP_RGB / 65535).astype(np.float16), 2), DEEP_RGB, None, 16),
}


def jp2(pixels: NDArray[Any], **options: Any) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="jp2", **options))


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def jp2_by_hand(pixels: NDArray[Any], icc: bytes, **uuids: bytes) -> bytes:
    """Returns a JPEG 2000 file with an ICC profile and with UUID boxes (ISO/IEC 15444-1, Annex I).

    The name of a keyword argument is a letter and the UUID in hexadecimal digits; its value is the content.
    """
    height, width, channels = (*pixels.shape, 1)[:3]
    head = struct.pack(">IIHBBBB", height, width, channels, 8 * pixels.itemsize - 1, 7, 0, 0)
    color = b"\2\0\0" + icc if icc else b"\1\0\0" + struct.pack(">I", 16 if channels > 2 else 17)
    return b"".join(
        [
            _box(b"jP  ", b"\r\n\x87\n"),
            _box(b"ftyp", b"jp2 \0\0\0\0jp2 "),
            _box(b"jp2h", _box(b"ihdr", head) + _box(b"colr", color)),
            *(_box(b"uuid", bytes.fromhex(number[1:]) + data) for number, data in uuids.items()),
            _box(b"jp2c", bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k"))),
        ]
    )


JP2_LAYOUTS: dict[str, tuple[bytes, NDArray[Any], Pixels | None, float]] = {
    "jp2-RGB-16": (jp2(DEEP_RGB), DEEP_RGB, None, 0),
    "jp2-RGBA-16": (jp2(_with(DEEP_RGB, DEEP_ALPHA)), DEEP_RGB, ALPHA, 0),
    "jp2-RGB-12": (
        jp2(DEEP_RGB >> 4, bitspersample=12),
        np.rint((DEEP_RGB >> 4) * (65535 / 4095)).astype(np.uint16),
        None,
        0,
    ),
    "jp2-RGB-16-of-gray": (jp2(_with(DEEP, DEEP, DEEP)), DEEP, None, 0),
}
ALL_FORMATS = FORMATS | {
    name: (TIFF_LAYOUTS | JP2_LAYOUTS)[name][0]
    for name in ("tiff-LA-16", "tiff-big-16-big-endian", "tiff-float-64", "tiff-RGB-16-jpeg2000", "jp2-RGB-16")
}
ALL_FORMATS["j2k-RGB-16"] = bytes(imagecodecs.jpeg2k_encode(DEEP_RGB, level=0, codecformat="j2k"))
ALL_LAYOUTS = LAYOUTS | TIFF_LAYOUTS | JP2_LAYOUTS
