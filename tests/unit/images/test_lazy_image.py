"""Large images give the same pixels in bands as in one piece."""

from __future__ import annotations

import io
import tempfile
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from colorize_core.errors import ImageError
from colorize_core.images import encode, lazy_image, png
from colorize_core.images.encode import Encoding
from colorize_core.images.formats import tiff
from colorize_core.images.lazy_image import LazyImage, bands, to_array
from colorize_core.images.metadata import Metadata
from colorize_core.storage import SpilledFile


def _image(dtype: type[np.uint8 | np.uint16], channels: int) -> NDArray[Any]:
    rng = np.random.default_rng(channels)
    high, wide = np.mgrid[:211, :97]
    smooth = (high * wide)[..., None] * np.arange(1, channels + 1) * (257 if dtype == np.uint16 else 1) // 80
    return (smooth + rng.integers(0, 9, (211, 97, channels))).astype(dtype)


def _on_demand(pixels: NDArray[Any]) -> tuple[LazyImage, list[int]]:
    """Returns a lazy image, and a list of the numbers of rows that were computed at a time."""
    asked: list[int] = []

    def compute(top: int, bottom: int) -> NDArray[Any]:
        asked.append(bottom - top)
        return pixels[top:bottom]

    return LazyImage(pixels.shape, pixels.dtype.type, compute), asked


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes all images count as large, with bands of ten rows of 97 pixels."""
    monkeypatch.setattr(lazy_image, "BAND_PIXELS", 970)
    monkeypatch.setattr(lazy_image, "IN_MEMORY_PIXELS", 0)
    monkeypatch.setattr(tiff, "_STRIP_PIXELS", 970)


@pytest.mark.usefixtures("narrow")
def test_bands_cover_all_rows_once() -> None:
    pixels = _image(np.uint8, 3)
    assert np.concatenate([np.arange(211)[band] for band in bands(pixels)]).tolist() == list(range(211))
    image, asked = _on_demand(pixels)
    np.testing.assert_array_equal(to_array(image), pixels)
    assert asked == [10] * 21 + [1]


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("level", [0, 1, 6])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
def test_png_in_bands(dtype: type[np.uint8 | np.uint16], channels: int, level: int) -> None:
    pixels = _image(dtype, channels)
    image, asked = _on_demand(pixels)
    beside = io.BytesIO()
    Image.new("RGB", (1, 1)).save(beside, "PNG", dpi=(300, 300))
    buffer = io.BytesIO()
    png.write(buffer, image, level, beside.getvalue())
    file = buffer.getvalue()
    assert max(asked) == 10
    read: Any = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    order = [2, 1, 0, 3][:channels]
    assert read.dtype == dtype
    np.testing.assert_array_equal(read[..., order], pixels)
    with Image.open(io.BytesIO(file)) as opened:
        opened.load()  # checks each chunk
        assert opened.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    if level:  # nearly as small as in one piece; some rows get another filter
        assert len(file) < 1.05 * len(png.encode(pixels, level)) + 2000


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("compression", ["lzw", "deflate", "none"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
def test_tiff_in_strips(dtype: type[np.uint8 | np.uint16], channels: int, compression: str) -> None:
    pixels = _image(dtype, channels)
    image, asked = _on_demand(pixels)
    buffer = io.BytesIO()
    tiff.write(buffer, image, Metadata(dpi=(300.0, 150.0)), tiff_compression=compression)
    file = buffer.getvalue()
    assert max(asked) == 10
    with tifffile.TiffFile(io.BytesIO(file)) as opened:
        [page] = opened.pages
        assert (page.photometric, page.planarconfig) == (tifffile.PHOTOMETRIC.RGB, tifffile.PLANARCONFIG.CONTIG)
        assert page.extrasamples == ((tifffile.EXTRASAMPLE.UNASSALPHA,) if channels == 4 else ())
        np.testing.assert_array_equal(page.asarray(), pixels)
    if dtype == np.uint8:  # Pillow does not know several channels of 16 bits
        with Image.open(io.BytesIO(file)) as image_again:
            assert image_again.info["dpi"] == (300, 150)
            np.testing.assert_array_equal(np.asarray(image_again), pixels)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("file_format", ["png", "tiff"])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_a_large_result_is_on_the_disk_and_the_same(
    file_format: str, with_alpha: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, alpha = _image(np.uint16, 3), _image(np.uint8, 1)[..., 0] if with_alpha else None
    held = encode.encode(pixels, Encoding(file_format), alpha=alpha)
    assert isinstance(held, SpilledFile)
    content = bytes(held)
    assert len(held) == len(content) == sum(map(len, held))
    again: Any = tifffile.imread(io.BytesIO(content)) if file_format == "tiff" else imagecodecs.png_decode(content)
    np.testing.assert_array_equal(again[..., :3], pixels)
    monkeypatch.setattr(lazy_image, "IN_MEMORY_PIXELS", 1 << 20)
    assert isinstance(small := encode.encode(pixels, Encoding(file_format), alpha=alpha), bytes)
    if file_format == "tiff":
        assert content == small


@pytest.mark.usefixtures("narrow")
def test_a_disk_that_cannot_hold_a_result_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing to /dev/full fails because no space is left."""
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: io.FileIO("/dev/full", "r+"))
    with pytest.raises(ImageError, match=r"the disk of this machine cannot hold it: .*No space left") as caught:
        encode.encode(_image(np.uint8, 3), Encoding("png"))
    assert caught.value.reason == "storage"
