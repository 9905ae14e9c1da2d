"""Metadata of results, as exiftool reads it, which archivists use."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from colorize_core.archiving.stages.merge import colorize
from colorize_core.images.decode import read_photograph
from colorize_core.images.encode import Encoding
from colorize_core.images.formats import FORMATS
from colorize_core.images.metadata.provenance import Provenance
from tests.unit.images.encoder_inputs import WITHOUT_IPTC

pytestmark = pytest.mark.skipif(
    not shutil.which("exiftool"), reason="exiftool is not installed (libimage-exiftool-perl)"
)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TYPE = "compositeWithTrainedAlgorithmicMedia"


def _exiftool(*arguments: str) -> str:
    return subprocess.run(["exiftool", *arguments], check=True, capture_output=True, text=True).stdout


def _tags(path: Path) -> dict[str, Any]:
    [tags] = json.loads(_exiftool("-json", "-G1", "-charset", "iptc=UTF8", str(path)))
    found: dict[str, Any] = tags
    return found


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory, gray_photographs: dict[str, NDArray[np.uint8]]) -> Path:
    """Returns a turned photograph with all metadata that an archive writes into a file, written by exiftool."""
    path = tmp_path_factory.mktemp("scan") / "scan.jpg"
    Image.fromarray(gray_photographs["rocket"]).convert("RGB").save(path, icc_profile=ICC, dpi=(600, 600))
    # With -n exiftool takes and prints numbers instead of words.
    _exiftool(
        "-overwrite_original",
        "-n",
        "-IPTC:CodedCharacterSet=\x1b%G",
        "-EXIF:Orientation=6",
        "-EXIF:ImageDescription=Märkte, 1931",
        "-EXIF:Artist=A. Nyhoff",
        "-EXIF:DateTimeOriginal=1931:05:04 10:00:00",
        "-EXIF:GPSLatitude=52.5",
        "-EXIF:GPSLatitudeRef=N",
        "-IPTC:ObjectName=Märkte",
        "-IPTC:Keywords=market",
        "-IPTC:Keywords=square",
        "-XMP-dc:Title=Märkte",
        "-XMP-dc:Rights=none",
        "-XMP-dc:Source=negative 12",
        "-XMP-photoshop:City=Delft",
        "-XMP-tiff:Orientation=6",
        str(path),
    )
    return path


@pytest.mark.parametrize("file_format", FORMATS)
def test_all_that_a_scan_carried_and_the_mark(scan: Path, tmp_path: Path, file_format: str) -> None:
    ab = np.full((4, 4, 2), (12, 20), np.float32)
    result = colorize(
        read_photograph(scan.read_bytes()), ab, Encoding(file_format), Provenance("boxes/scan.jpg", "unet", "ab" * 32)
    )
    path = tmp_path / f"made{FORMATS[file_format].suffix}"
    path.write_bytes(result.content)
    tags = _tags(path)
    width, height = Image.open(io.BytesIO(scan.read_bytes())).size
    assert tags["Composite:ImageSize"] == f"{height}x{width}"  # stands upright
    assert "Orientation" not in {name.split(":")[-1] for name in tags}
    assert tags["IFD0:ImageDescription"] == "Märkte, 1931"
    assert tags["IFD0:Artist"] == "A. Nyhoff"
    assert tags["ExifIFD:DateTimeOriginal"] == "1931:05:04 10:00:00"
    assert tags["GPS:GPSLatitude"] == "52 deg 30' 0.00\" N" or tags["Composite:GPSLatitude"].startswith("52 deg 30'")
    assert (tags["IFD0:XResolution"], tags["IFD0:ResolutionUnit"]) == (600, "inches")
    assert tags["ICC-header:ColorSpaceData"] == "RGB "
    if file_format not in WITHOUT_IPTC:
        assert tags["IPTC:ObjectName"] == "Märkte"
        assert tags["IPTC:Keywords"] == ["market", "square"]
    assert tags["XMP-dc:Title"] == "Märkte"
    assert tags["XMP-dc:Rights"] == "none"
    assert tags["XMP-photoshop:City"] == "Delft"
    assert tags["XMP-iptcExt:DigitalSourceType"].endswith(TYPE)
    assert tags["XMP-xmp:CreatorTool"] == f"colorize unet sha256:{'ab' * 32}"
    assert tags["XMP-dc:Source"] == "negative 12"
    assert tags["XMP-xmpMM:DerivedFromFilePath"] == "boxes/scan.jpg"


def test_what_exiftool_writes_into_a_jpeg_2000_file_is_read(tmp_path: Path) -> None:
    path, profile = tmp_path / "scan.jp2", tmp_path / "profile.icc"
    Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 48)).save(path)
    profile.write_bytes(ICC)
    tags = ["-EXIF:Orientation=6", "-EXIF:Artist=A. Nyhoff", "-IPTC:ObjectName=Markt", "-XMP-dc:Title=Märkte"]
    _exiftool("-overwrite_original", "-n", *tags, f"-ICC_Profile<={profile}", str(path))
    photograph = read_photograph(path.read_bytes())
    metadata = photograph.metadata
    assert photograph.size == (16, 48)
    assert metadata.exif
    assert metadata.exif.main[0x013B].value == b"A. Nyhoff"
    assert metadata.icc == ICC
    assert b"Markt" in (metadata.iptc or b"")
    assert "Märkte" in (metadata.xmp or b"").decode()


def _complaints(path: Path) -> set[str]:
    printed = _exiftool("-validate", "-warning", "-error", "-a", str(path))
    warnings = {line.split(":", 1)[1].strip() for line in printed.splitlines()}
    # colorize cannot invent tags that the scanner's program left out. Adobe's files have IPTC as undefined bytes, too.
    usual = r"OK|\d+ Warnings?( .*)?|Missing required .*|\[minor\].*|Non-standard format \(undef\) .* IPTC-NAA"
    return {each for each in warnings if not re.fullmatch(usual, each)}


@pytest.mark.parametrize("file_format", FORMATS)
def test_exiftool_complains_of_nothing_that_was_not_there_before(scan: Path, tmp_path: Path, file_format: str) -> None:
    deep = tmp_path / "deep.tif"
    Image.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256)).save(deep, dpi=(600, 600))
    for source in (scan, deep):
        result = colorize(
            read_photograph(source.read_bytes()),
            np.zeros((4, 4, 2), np.float32),
            Encoding(file_format),
            Provenance("a", "m", "d"),
        )
        path = tmp_path / f"{source.stem}{FORMATS[file_format].suffix}"
        path.write_bytes(result.content)
        assert _complaints(path) <= _complaints(source)
