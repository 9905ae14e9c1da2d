"""TIFF: 8 or 16 bits, with transparency; strips packed by imagecodecs, tags written by Pillow, which knows EXIF.

Source: TIFF 6.0, sections 8 (baseline), 13 (LZW), 14 (differencing predictor) and 18 (associated alpha).
"""

from __future__ import annotations

from typing import IO, Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from colorize_core.images.formats.image_format import ImageFormat, Option
from colorize_core.images.lazy_image import LazyImage
from colorize_core.images.metadata import Metadata, exif, tiff_tags

_SHORT, _LONG, _RATIONAL = 3, 4, 5
_STRIP_OFFSETS, _STRIP_BYTES = 273, 279
_CODES = {"lzw": 5, "deflate": 8, "none": 1}
_STRIP_PIXELS = 1 << 20
_HEAD = 8  # bytes: byte order, and the offset of the tags


def write(file: IO[bytes], pixels: LazyImage | NDArray[Any], metadata: Metadata, *, tiff_compression: str) -> None:
    """Writes uint8 or uint16 [H, W, 3 or 4] to a TIFF file, strip by strip."""
    height, width, channels = pixels.shape
    rows = max(1, _STRIP_PIXELS // width)
    tops = range(0, height, rows)
    tags = ImageFileDirectory_v2(prefix=b"II")
    layout: dict[int, tuple[int, Any]] = {
        254: (_LONG, 0),  # subfile: the image itself
        256: (_LONG, width),
        257: (_LONG, height),
        258: (_SHORT, (8 * pixels.dtype.itemsize,) * channels),  # bits per channel
        259: (_SHORT, _CODES[tiff_compression]),
        262: (_SHORT, 2),  # RGB
        277: (_SHORT, channels),
        278: (_LONG, rows),  # per strip
        282: (_RATIONAL, 1),  # pixels per unit, across
        283: (_RATIONAL, 1),  # and down
        296: (_SHORT, 1),  # no unit: without a resolution in the photograph, pixels are square
        284: (_SHORT, 1),  # channels interleaved
        _STRIP_OFFSETS: (_LONG, (0,) * len(tops)),
        _STRIP_BYTES: (_LONG, (0,) * len(tops)),
    }
    if tiff_compression != "none":
        layout[317] = (_SHORT, 2)  # differences between neighbors are packed
    if channels == 4:
        layout[338] = (_SHORT, 2)  # alpha, not premultiplied
    for tag, (kind, value) in layout.items():
        tags.tagtype[tag], tags[tag] = kind, value
    described = exif.with_resolution(metadata.exif, metadata.dpi) if metadata.dpi else metadata.exif or exif.Exif({})
    main = {tag: value for tag, value in described.main.items() if tag not in tags or tag in exif.RESOLUTION}
    described = exif.Exif({**main, **tiff_tags(metadata)}, described.parts)
    parts = described.add_to(tags, _HEAD)
    start = _HEAD + len(parts)
    first = start + len(tags.tobytes(start))  # the length does not depend on the numbers in the tags
    file.seek(first)
    counts = [file.write(_packed(pixels[top : top + rows], tiff_compression)) for top in tops]
    tags[_STRIP_BYTES] = tuple(counts)
    # Pillow adds the end of the tags to the offsets of the strips.
    tags[_STRIP_OFFSETS] = tuple(np.cumsum([0, *counts[:-1]]).tolist())
    file.seek(0)
    file.writelines([b"II*\0", start.to_bytes(4, "little"), parts, tags.tobytes(start)])


def _packed(strip: NDArray[Any], compression: str) -> bytes:
    """Returns the bytes of a strip [h, W, c] in the file."""
    if compression == "none":
        return strip.tobytes()
    differences: Any = imagecodecs.delta_encode(np.ascontiguousarray(strip), axis=1)
    pack = imagecodecs.lzw_encode if compression == "lzw" else imagecodecs.zlib_encode
    return bytes(pack(differences))


TIFF = ImageFormat(
    name="tiff",
    suffixes=(".tif", ".tiff"),
    write=write,
    options=(Option("tiff_compression", "lzw", tuple(_CODES), "Compression, all without loss."),),
    holds_16_bits=True,
    writes_in_bands=True,
)
