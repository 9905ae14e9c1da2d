"""Pixels to a TIFF file: packed by imagecodecs, described by Pillow, which knows EXIF.

Source: TIFF 6.0, sections 8 (baseline), 13 (LZW), 14 (differencing predictor) and 18 (associated alpha).
"""

from __future__ import annotations

from typing import IO, Any, Literal, get_args

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from colorize_core.images.lazy_image import LazyImage
from colorize_core.images.metadata import Metadata, exif, tiff_tags

Compression = Literal["lzw", "deflate", "none"]
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_OFFSETS, _COUNTS = 273, 279  # of the strips, in bytes
_CODES: dict[Compression, int] = {"lzw": 5, "deflate": 8, "none": 1}
_STRIP_PIXELS = 1 << 20
_HEAD = 8  # bytes: little-endian, and where the tags begin


def write(
    file: IO[bytes], pixels: LazyImage | NDArray[Any], compression: Compression, metadata: Metadata, xmp: bytes
) -> None:
    """Of RGB or RGBA [H, W, 3 or 4], uint8 or uint16; the pixels are asked for strip by strip."""
    height, width, channels = pixels.shape
    rows = max(1, _STRIP_PIXELS // width)
    tops = range(0, height, rows)
    tags = ImageFileDirectory_v2(prefix=b"II")
    layout: dict[int, tuple[int, Any]] = {
        254: (_LONG, 0),  # subfile: the image itself
        256: (_LONG, width),
        257: (_LONG, height),
        258: (_SHORT, (8 * pixels.dtype.itemsize,) * channels),  # bits a channel
        259: (_SHORT, _CODES[compression]),
        262: (_SHORT, 2),  # RGB
        277: (_SHORT, channels),
        278: (_LONG, rows),  # a strip
        282: (_RATIONAL, 1),  # width and height of a pixel, in
        283: (_RATIONAL, 1),
        296: (_SHORT, 1),  # no unit: where the photograph says nothing, it is square
        284: (_SHORT, 1),  # channels interleaved
        _OFFSETS: (_LONG, (0,) * len(tops)),
        _COUNTS: (_LONG, (0,) * len(tops)),
    }
    if compression != "none":
        layout[317] = (_SHORT, 2)  # differences of neighbors are packed
    if channels == 4:
        layout[338] = (_SHORT, 2)  # alpha that the colors are not multiplied with
    for tag, (kind, value) in layout.items():
        tags.tagtype[tag], tags[tag] = kind, value
    described = exif.with_resolution(metadata.exif, metadata.dpi) if metadata.dpi else metadata.exif or exif.Exif({})
    main = {tag: value for tag, value in described.main.items() if tag not in tags or tag in exif.RESOLUTION}
    described = exif.Exif({**main, **tiff_tags(metadata, xmp)}, described.parts)
    parts = described.add_to(tags, _HEAD)
    start = _HEAD + len(parts)
    first = start + len(tags.tobytes(start))  # whatever the numbers in it
    file.seek(first)
    counts = [file.write(_packed(pixels[top : top + rows], compression)) for top in tops]
    tags[_COUNTS] = tuple(counts)
    # Pillow places the strips right after the tags, and takes their places from there on.
    tags[_OFFSETS] = tuple(np.cumsum([0, *counts[:-1]]).tolist())
    file.seek(0)
    file.writelines([b"II*\0", start.to_bytes(4, "little"), parts, tags.tobytes(start)])


def _packed(strip: NDArray[Any], compression: Compression) -> bytes:
    if compression == "none":
        return strip.tobytes()
    differences: Any = imagecodecs.delta_encode(np.ascontiguousarray(strip), axis=1)
    pack = imagecodecs.lzw_encode if compression == "lzw" else imagecodecs.zlib_encode
    return bytes(pack(differences))
