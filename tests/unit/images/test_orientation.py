"""Photographs are decoded upright, whatever the orientation in EXIF or XMP says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_core.errors import ImageError
from colorize_core.images.decode import open_photograph, read_photograph, read_rgb
from tests.support.image_files import DEEP, GRAY, RGB, png_chunks, save, tiff

# Functions that turn an upright image into the stored one, by EXIF orientation (EXIF 2.32, 4.6.4). The comment says
# where row 0 and column 0 of the stored image are seen.
STORED: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],  # top right
    3: lambda upright: upright[::-1, ::-1],  # bottom right
    4: lambda upright: upright[::-1],  # bottom left
    5: lambda upright: upright.T,  # left top
    6: lambda upright: np.rot90(upright),  # right top
    7: lambda upright: upright[::-1, ::-1].T,  # right bottom
    8: lambda upright: np.rot90(upright, -1),  # left bottom
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
    content, upright, tolerance = _oriented(orientation, kind)
    photograph = read_photograph(content)
    assert photograph.size == (48, 32)
    np.testing.assert_allclose(photograph.pixels.astype(float), upright, atol=tolerance)
    reduced = open_photograph(content).read_small(4096)
    small, size = reduced.gray, reduced.size
    assert size == (48, 32)
    np.testing.assert_allclose(
        small.astype(float), upright >> 8 if upright.dtype == np.uint16 else upright, atol=tolerance
    )
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


def test_cut_off_png_with_late_exif_is_damaged() -> None:
    """Pillow decodes the pixels of such a file when EXIF is read."""
    content = _png_with_late_exif(6)
    with pytest.raises(ImageError, match="cannot be read"):
        open_photograph(content[: len(content) // 2]).read_small(16)
