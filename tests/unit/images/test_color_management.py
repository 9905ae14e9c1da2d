"""ICC profiles and gamma, compared with lightness computed here and colors from Pillow's ImageCms."""

from __future__ import annotations

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms
from skimage import color as reference

from colorize_core.archiving.stages.merge import colorize
from colorize_core.images import color_management
from colorize_core.images.decode import open_photograph, read_photograph
from colorize_core.images.encode import Encoding
from colorize_core.images.formats import FORMATS
from colorize_core.images.metadata.provenance import Provenance
from tests.support.image_files import png_with
from tests.support.rare_files import tiff_of
from tests.unit.images.encoder_inputs import LOSSY, WRITTEN

EIGHT = np.arange(256, dtype=np.uint8).reshape(16, 16)
SIXTEEN = np.arange(65536, dtype=np.uint16).reshape(256, 256)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ADOBE = bytes(
    imagecodecs.cms_profile(
        "rgb",
        whitepoint=[0.3127, 0.3290, 1.0],
        primaries=[0.64, 0.33, 1, 0.21, 0.71, 1, 0.15, 0.06, 1],
        gamma=563 / 256,
    )
)
PROVENANCE = Provenance("a.tif", "m", "d")


def gray_profile(gamma: float) -> bytes:
    return bytes(imagecodecs.cms_profile("gray", gamma=gamma))


def lightness(light: NDArray[Any]) -> NDArray[np.float64]:
    """Returns L for linear light, by CIE 15:2004."""
    return np.where(light > 216 / 24389, 116 * np.cbrt(light) - 16, light * 24389 / 27)


def stored(pixels: NDArray[Any], file_format: str, icc: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, icc_profile=icc)
    return buffer.getvalue()


def gray_lightness(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Returns L from scikit-image."""
    most = np.iinfo(pixels.dtype).max
    found: NDArray[np.float64] = reference.rgb2lab(np.stack([pixels / most] * 3, axis=-1))[..., 0]
    return found


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
@pytest.mark.parametrize("pixels", [EIGHT, SIXTEEN], ids=["8", "16"])
def test_tones_of_a_gray_profile(pixels: NDArray[Any], file_format: str, gamma: float) -> None:
    photograph = read_photograph(stored(pixels, file_format, gray_profile(gamma)))
    meant = lightness((pixels / np.iinfo(pixels.dtype).max) ** gamma)
    assert photograph.depth == 8 * pixels.itemsize
    assert photograph.metadata.icc is None  # the profile does not describe the converted pixels
    np.testing.assert_allclose(gray_lightness(photograph.pixels), meant, atol=0.01)


@pytest.mark.parametrize("gamma", [1.0, 1.8])
def test_the_network_sees_the_tones_that_are_meant(gamma: float) -> None:
    small = open_photograph(stored(EIGHT, "PNG", gray_profile(gamma))).read_small(16).gray
    meant = lightness((EIGHT / 255) ** gamma)
    assert small.dtype == np.uint8
    assert np.abs(gray_lightness(small) - meant).max() < 0.5


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("icc", [SRGB, bytes(imagecodecs.cms_profile("srgb")), b"", b"no profile", SRGB[:300]])
def test_what_is_srgb_or_cannot_be_told_stays_as_it_is(file_format: str, icc: bytes) -> None:
    for pixels in (EIGHT, np.stack([EIGHT, EIGHT[::-1], EIGHT.T], axis=-1)):
        content = stored(pixels, file_format, icc)
        plain = stored(pixels, file_format, b"")
        np.testing.assert_array_equal(read_photograph(content).pixels, read_photograph(plain).pixels)


@pytest.mark.parametrize("gray", [True, False])
def test_gamma_of_a_png_file(gray: bool) -> None:
    pixels = EIGHT if gray else np.stack([EIGHT, EIGHT[::-1], EIGHT.T], axis=-1)
    linear = png_with(stored(pixels, "PNG", b""), b"gAMA", struct.pack(">I", 100_000))
    usual = png_with(stored(pixels, "PNG", b""), b"gAMA", struct.pack(">I", 45_455))
    tagged = png_with(linear, b"sRGB", b"\0")
    meant = pixels / 255
    curve = np.where(meant <= 0.0031308, meant * 12.92, 1.055 * meant ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(read_photograph(linear).pixels / 65535, curve, atol=1e-5)
    for content in (usual, tagged):  # the chunk that says sRGB outweighs gAMA (PNG, 11.3.2)
        np.testing.assert_array_equal(read_photograph(content).pixels, pixels)


def test_colors_of_a_profile_and_back() -> None:
    rgb = np.random.default_rng(5).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    seen = read_photograph(stored(rgb, "PNG", ADOBE)).pixels
    by_pillow = ImageCms.profileToProfile(
        Image.fromarray(rgb), ImageCms.ImageCmsProfile(io.BytesIO(ADOBE)), ImageCms.createProfile("sRGB")
    )
    assert by_pillow is not None
    assert np.abs(seen / 257 - np.asarray(by_pillow)).mean() < 0.5
    inside = ((seen > 0) & (seen < 65535)).all(axis=-1)
    assert 0.3 < inside.mean() < 0.9
    back = color_management.from_srgb(seen, ADOBE, np.uint8)
    np.testing.assert_array_equal(back[inside], rgb[inside])


@pytest.mark.parametrize("file_format", WRITTEN)
@pytest.mark.parametrize("chroma", [(0.0, 0.0), (20.0, -15.0)])
def test_a_gray_photograph_with_an_rgb_profile_keeps_both_lightness_and_profile(
    file_format: str, chroma: tuple[float, float]
) -> None:
    content = stored(np.stack([EIGHT] * 3, axis=-1), "TIFF", ADOBE)
    ab = np.full((2, 2, 2), chroma, np.float32)
    result = colorize(read_photograph(content), ab, Encoding(file_format, quality=100), PROVENANCE)
    image = Image.open(io.BytesIO(result.content))
    assert image.info["icc_profile"] == ADOBE
    xyz = imagecodecs.cms_transform(
        np.asarray(image.convert("RGB")),
        ADOBE,
        imagecodecs.cms_profile("xyz"),
        colorspace="rgb",
        outcolorspace="xyz",
        outdtype=np.float64,
    )
    meant = lightness((EIGHT / 255) ** (563 / 256))
    assert np.abs(lightness(xyz[..., 1]) - meant).max() < (
        4 if file_format in LOSSY else 0.6
    )  # one level of 255 is up to 0.5


@pytest.mark.parametrize("kind", [name for name, each in FORMATS.items() if each.holds_16_bits])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_photograph_that_keeps_its_colors_keeps_those_that_srgb_has_not(kind: str, depth: int) -> None:
    rgb = np.random.default_rng(5).integers(0, 1 << depth, (40, 50, 3)).astype(np.uint16 if depth == 16 else np.uint8)
    content = tiff_of(rgb, "rgb", iccprofile=ADOBE)
    result = colorize(read_photograph(content, as_stored=True), None, Encoding(kind), PROVENANCE)
    again = read_photograph(result.content, as_stored=True)
    np.testing.assert_array_equal(again.pixels, rgb)
    assert again.metadata.icc == ADOBE
    in_srgb = read_photograph(content).pixels >> 8  # what the gallery shows
    np.testing.assert_array_equal(result.thumbnails.before, result.thumbnails.after)
    assert np.abs(result.thumbnails.after.astype(int) - in_srgb).mean() < 1


def test_inks_of_a_profile() -> None:
    """A CMYK file with an invalid profile, which is common, is converted as Pillow does without a profile."""
    inks = np.random.default_rng(6).integers(0, 256, (8, 8, 4)).astype(np.uint8)
    buffer = io.BytesIO()
    broken = SRGB[:16] + b"CMYK" + SRGB[20:]
    Image.fromarray(inks, "CMYK").save(buffer, "TIFF", icc_profile=broken)
    expected = np.asarray(Image.fromarray(inks, "CMYK").convert("RGB"))
    np.testing.assert_array_equal(read_photograph(buffer.getvalue()).pixels, expected)


@pytest.mark.parametrize("gamma", [2.0, 2.1, 2.2, 2.3, 2.4])
@pytest.mark.parametrize("depth", [1, 3])
def test_neutral_tones_through_profiles_near_srgb(gamma: float, depth: int) -> None:
    icc = bytes(
        imagecodecs.cms_profile(
            "rgb",
            whitepoint=[0.3127, 0.3290, 1.0],
            primaries=[0.64, 0.33, 1, 0.30, 0.60, 1, 0.15, 0.06, 1],
            gamma=gamma,
        )
    )
    content = stored(EIGHT if depth == 1 else np.stack([EIGHT] * 3, axis=-1), "PNG", icc)
    result = colorize(read_photograph(content), np.zeros((2, 2, 2), np.float32), Encoding("png"), PROVENANCE)
    with Image.open(io.BytesIO(result.content)) as image:
        assert image.info["icc_profile"] == icc
        assert np.abs(np.asarray(image).astype(int) - EIGHT[..., None]).max() <= 1
