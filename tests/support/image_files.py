"""One small image in files of every pixel layout that archives hold, with the pixels that must be decoded."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import imagecodecs
import numpy as np
import PIL
import tifffile
from numpy.typing import NDArray
from PIL import Image
from skimage import color as reference
from skimage import data

Pixels = NDArray[np.uint8]

RGB: Pixels = data.astronaut()[90:122, 190:238]  # [32, 48, 3], a face
GRAY: Pixels = np.asarray(Image.fromarray(RGB).convert("L"))
DEEP = (GRAY.astype(np.uint16) << 8) + np.arange(48, dtype=np.uint16)  # all 16 bits in use
DEEP_RGB = (RGB.astype(np.uint16) << 8) + np.arange(48, dtype=np.uint16)[:, None]
INDEX: Pixels = GRAY // 64  # 0..3
PALETTE = np.array([[0, 0, 0], [200, 30, 10], [20, 180, 90], [255, 250, 240]], np.uint8)
ALPHA: Pixels = np.repeat(np.linspace(0, 255, 48).astype(np.uint8)[None], 32, axis=0)
DEEP_ALPHA = ALPHA.astype(np.uint16) * 257


def save(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def deep_png(pixels: NDArray[np.uint16]) -> bytes:
    """Returns a PNG file of uint16 pixels [h, w, 3 or 4], which Pillow cannot write."""
    channels = [2, 1, 0, 3][: pixels.shape[2]]
    return bytes(cv2.imencode(".png", pixels[..., channels])[1])


def deep_tiff(pixels: NDArray[np.uint16], **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="rgb", **options)
    return buffer.getvalue()


def png_with(content: bytes, kind: bytes, data: bytes) -> bytes:
    """Returns a PNG file with one more chunk before its pixels."""
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return content[:33] + chunk + content[33:]


def indexed() -> Image.Image:
    image = Image.fromarray(INDEX, "L")
    image.putpalette(PALETTE.tobytes())
    assert image.mode == "P"
    return image


def tiff(order: str, width: int, height: int, bits: int, photometric: int, pixels: bytes, *more: int) -> bytes:
    """Returns an uncompressed gray TIFF file (TIFF 6.0, section 4); ``more`` is another tag and its value."""
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8)]
    tags += [(277, 1), (278, height), (279, len(pixels)), *([more] if more else [])]
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(tags))
    header = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(pixels))
    return header + pixels + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


def png_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Returns (type, whole chunk) for each chunk of a PNG file."""
    chunks, at = [], 8
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at:end]))
        at = end
    return chunks


# Lindbloom, "Chromatic Adaptation": the white of ICC profiles to that of screens.
BRADFORD_D50_TO_D65 = np.array(
    [[0.9555766, -0.0230393, 0.0631636], [-0.0282895, 1.0099416, 0.0210077], [0.0122982, -0.0204830, 1.3299098]]
)


def lab_image() -> tuple[Image.Image, Pixels]:
    """Returns a LAB image of moderate colors, and the same in sRGB by scikit-image, after chromatic adaptation."""
    lightness, a, b = np.meshgrid(np.arange(20, 91, 10.0), np.arange(-24, 25, 8.0), np.arange(-24, 25, 8.0))
    lab = np.stack([lightness, a, b], axis=-1).reshape(14, -1, 3)
    # TIFF 6.0, section 23: L as 0..255, a and b signed.
    stored = np.dstack([np.rint(lab[..., 0] * 2.55).astype(np.uint8), lab[..., 1:].astype(np.int8).view(np.uint8)])
    size = stored.shape[1], stored.shape[0]
    rgb = reference.xyz2rgb(reference.lab2xyz(lab, illuminant="D50") @ BRADFORD_D50_TO_D65.T)
    return Image.frombytes("LAB", size, stored.tobytes()), np.rint(rgb * 255).astype(np.uint8)


def _cmyk() -> Image.Image:
    return Image.fromarray(np.dstack([255 - RGB, np.full((32, 48), 40, np.uint8)]), "CMYK")


CMYK_AS_RGB = RGB * ((255 - 40) / 255)
LAB, LAB_AS_RGB = lab_image()
BILEVEL = (GRAY > 100) * np.uint8(255)

_PAIRS = (DEEP >> 4).reshape(-1, 2).astype(int)  # two samples of 12 bits take three bytes
TWELVE_BITS = b"".join(int(left << 12 | right).to_bytes(3, "big") for left, right in _PAIRS)

# name: (content, expected pixels, expected alpha, tolerance in levels)
LAYOUTS: dict[str, tuple[bytes, NDArray[Any], Pixels | None, float]] = {
    "png-1": (save(Image.fromarray(BILEVEL).convert("1"), "PNG"), BILEVEL, None, 0),
    "png-L": (save(Image.fromarray(GRAY), "PNG"), GRAY, None, 0),
    "png-L-2bit": (save(indexed(), "PNG", bits=2), PALETTE[INDEX], None, 0),
    "png-L-clear": (save(Image.fromarray(GRAY), "PNG", transparency=80), GRAY, (GRAY != 80) * np.uint8(255), 0),
    "png-LA": (save(Image.fromarray(np.dstack([GRAY, ALPHA]), "LA"), "PNG"), GRAY, ALPHA, 0),
    "png-P": (save(indexed(), "PNG"), PALETTE[INDEX], None, 0),
    "png-P-clear": (
        save(indexed(), "PNG", transparency=bytes([0, 90, 255, 255])),
        PALETTE[INDEX],
        np.array([0, 90, 255, 255], np.uint8)[INDEX],
        0,
    ),
    "png-RGB": (save(Image.fromarray(RGB), "PNG"), RGB, None, 0),
    "png-RGB-clear": (
        save(Image.fromarray(RGB), "PNG", transparency=tuple(map(int, RGB[3, 5]))),
        RGB,
        (RGB[3, 5] != RGB).any(axis=-1) * np.uint8(255),
        0,
    ),
    "png-RGB-of-gray": (save(Image.fromarray(GRAY).convert("RGB"), "PNG"), GRAY, None, 0),
    "png-RGBA": (save(Image.fromarray(np.dstack([RGB, ALPHA])), "PNG"), RGB, ALPHA, 0),
    "png-16": (save(Image.fromarray(DEEP), "PNG"), DEEP, None, 0),
    "png-16-clear": (
        save(Image.fromarray(DEEP), "PNG", transparency=int(DEEP[3, 5])),
        DEEP,
        (DEEP[3, 5] != DEEP) * np.uint8(255),
        0,
    ),
    "png-RGB-16": (deep_png(DEEP_RGB), DEEP_RGB, None, 0),
    "png-RGB-16-of-gray": (deep_png(np.dstack([DEEP] * 3)), DEEP, None, 0),
    "png-RGBA-16": (deep_png(np.dstack([DEEP_RGB, DEEP_ALPHA])), DEEP_RGB, ALPHA, 0),
    "tiff-RGB-16": (deep_tiff(DEEP_RGB), DEEP_RGB, None, 0),
    "tiff-RGB-16-big-endian": (deep_tiff(DEEP_RGB, byteorder=">"), DEEP_RGB, None, 0),
    "tiff-RGB-16-deflate": (deep_tiff(DEEP_RGB, compression="zlib", predictor=True), DEEP_RGB, None, 0),
    "png-LA-16": (imagecodecs.png_encode(np.dstack([DEEP, DEEP_ALPHA])), DEEP, ALPHA, 0),
    "png-RGB-16-clear": (
        png_with(deep_png(DEEP_RGB), b"tRNS", DEEP_RGB[3, 5].astype(">u2").tobytes()),
        DEEP_RGB,
        (DEEP_RGB[3, 5] != DEEP_RGB).any(axis=-1) * np.uint8(255),
        0,
    ),
    "tiff-RGB-16-planes": (deep_tiff(np.moveaxis(DEEP_RGB, -1, 0), planarconfig="separate"), DEEP_RGB, None, 0),
    "tiff-RGB-16-tiles": (deep_tiff(DEEP_RGB, tile=(16, 16)), DEEP_RGB, None, 0),
    "tiff-RGBA-16": (deep_tiff(np.dstack([DEEP_RGB, DEEP_ALPHA]), extrasamples=["unassalpha"]), DEEP_RGB, ALPHA, 0),
    "tiff-RGB-16-infrared": (
        deep_tiff(np.dstack([DEEP_RGB, DEEP_ALPHA]), extrasamples=["unspecified"]),
        DEEP_RGB,
        None,
        0,
    ),
    "tiff-32-unsigned": (tiff("<", 48, 32, 32, 1, (DEEP.astype("<u4") << 16).tobytes()), DEEP, None, 0),
    "tiff-RGBA-16-premultiplied": (
        deep_tiff(
            np.dstack([DEEP_RGB * (DEEP_ALPHA[..., None] / 65535), DEEP_ALPHA]).astype(np.uint16),
            extrasamples=["assocalpha"],
        ),
        np.where(ALPHA[..., None] > 0, DEEP_RGB, 0),
        ALPHA,
        65535 / 257,
    ),
    "tiff-1": (save(Image.fromarray(BILEVEL).convert("1"), "TIFF", compression="group4"), BILEVEL, None, 0),
    "tiff-L": (save(Image.fromarray(GRAY), "TIFF"), GRAY, None, 0),
    "tiff-L-lzw": (save(Image.fromarray(GRAY), "TIFF", compression="tiff_lzw"), GRAY, None, 0),
    "tiff-L-white-is-0": (tiff("<", 48, 32, 8, 0, (255 - GRAY).tobytes()), GRAY, None, 0),
    "tiff-LA": (save(Image.fromarray(np.dstack([GRAY, ALPHA]), "LA"), "TIFF"), GRAY, ALPHA, 0),
    "tiff-P": (save(indexed(), "TIFF"), PALETTE[INDEX], None, 0),
    "tiff-RGB": (save(Image.fromarray(RGB), "TIFF"), RGB, None, 0),
    "tiff-RGBA": (save(Image.fromarray(np.dstack([RGB, ALPHA])), "TIFF"), RGB, ALPHA, 0),
    "tiff-CMYK": (save(_cmyk(), "TIFF"), CMYK_AS_RGB, None, 1),
    "tiff-YCbCr": (save(Image.fromarray(RGB).convert("YCbCr"), "TIFF"), RGB, None, 3),
    "tiff-LAB": (save(LAB, "TIFF"), LAB_AS_RGB, None, 3),
    "tiff-16": (save(Image.fromarray(DEEP), "TIFF"), DEEP, None, 0),
    "tiff-16-little-endian": (tiff("<", 48, 32, 16, 1, DEEP.astype("<u2").tobytes()), DEEP, None, 0),
    "tiff-16-big-endian": (tiff(">", 48, 32, 16, 1, DEEP.astype(">u2").tobytes()), DEEP, None, 0),
    "tiff-16-white-is-0": (tiff("<", 48, 32, 16, 0, (65535 - DEEP).astype("<u2").tobytes()), DEEP, None, 0),
    "tiff-12": (tiff("<", 48, 32, 12, 1, TWELVE_BITS), DEEP >> 4 << 4 | DEEP >> 12, None, 0),
    "tiff-32": (save(Image.fromarray(DEEP.astype(np.int32) * 2 - 9000), "TIFF"),
                np.clip(DEEP.astype(np.int32) * 2 - 9000, 0, 65535).astype(np.uint16), None, 0),
    "jpeg-L": (save(Image.fromarray(GRAY), "JPEG", quality=98), GRAY, None, 6),
    "jpeg-YCbCr": (save(Image.fromarray(RGB), "JPEG", quality=98, subsampling=0), RGB, None, 12),
    "jpeg-RGB": (save(Image.fromarray(RGB), "JPEG", quality=98, keep_rgb=True), RGB, None, 8),
    "jpeg-CMYK": (save(_cmyk(), "JPEG", quality=98), CMYK_AS_RGB, None, 8),
    "webp-RGB": (save(Image.fromarray(RGB), "WEBP", lossless=True), RGB, None, 0),
    "webp-L": (save(Image.fromarray(GRAY), "WEBP", lossless=True), GRAY, None, 0),
    "webp-RGBA": (save(Image.fromarray(np.dstack([RGB, ALPHA])), "WEBP", lossless=True, exact=True), RGB, ALPHA, 0),
    "bmp-1": (save(Image.fromarray(BILEVEL).convert("1"), "BMP"), BILEVEL, None, 0),
    "bmp-L": (save(Image.fromarray(GRAY), "BMP"), GRAY, None, 0),
    "bmp-P": (save(indexed(), "BMP"), PALETTE[INDEX], None, 0),
    "bmp-RGB": (save(Image.fromarray(RGB), "BMP"), RGB, None, 0),
    "jp2-L": (save(Image.fromarray(GRAY), "JPEG2000"), GRAY, None, 0),
    "jp2-RGB": (save(Image.fromarray(RGB), "JPEG2000", mct=0), RGB, None, 0),
    "jp2-RGBA": (save(Image.fromarray(np.dstack([RGB, ALPHA])), "JPEG2000", mct=0), RGB, ALPHA, 0),
    "jp2-16": (save(Image.fromarray(DEEP), "JPEG2000"), DEEP, None, 0),
    "pbm": (save(Image.fromarray(BILEVEL).convert("1"), "PPM"), BILEVEL, None, 0),
    "pgm": (save(Image.fromarray(GRAY), "PPM"), GRAY, None, 0),
    "pgm-plain": (f"P2 48 32 255 {' '.join(map(str, GRAY.flat))}".encode(), GRAY, None, 0),
    "pgm-16": (b"P5 48 32 65535\n" + DEEP.astype(">u2").tobytes(), DEEP, None, 0),
    "ppm": (save(Image.fromarray(RGB), "PPM"), RGB, None, 0),
    "ppm-10": (
        b"P6 # ten bits\n48 32 1023\n" + (DEEP_RGB >> 6).astype(">u2").tobytes(),
        np.rint((DEEP_RGB >> 6) * (65535 / 1023)).astype(np.uint16),
        None,
        1,
    ),
    "ppm-16": (b"P6 48 32 65535\n" + DEEP_RGB.astype(">u2").tobytes(), DEEP_RGB, None, 2),
    "gif": (save(indexed(), "GIF"), PALETTE[INDEX], None, 0),
}  # fmt: skip
FORMATS = {
    "jpeg": LAYOUTS["jpeg-YCbCr"][0],
    "png": LAYOUTS["png-RGBA"][0],
    "tiff": LAYOUTS["tiff-RGB"][0],
    "tiff-lzw": LAYOUTS["tiff-L-lzw"][0],
    "webp": LAYOUTS["webp-RGB"][0],
    "bmp": LAYOUTS["bmp-RGB"][0],
    "jp2": LAYOUTS["jp2-RGB"][0],
    "pgm-16": LAYOUTS["pgm-16"][0],
    "gif": LAYOUTS["gif"][0],
    "png-16": LAYOUTS["png-RGB-16"][0],
    "tiff-16": LAYOUTS["tiff-RGB-16"][0],
}
if int(PIL.__version__.split(".")[0]) < 13:
    del LAYOUTS["tiff-YCbCr"]  # which older Pillow, the newest for Python 3.10, writes so that it cannot read it back
