"""More than 150 files as archives hold them, whole, odd and broken, in one run of ``colorize archive``."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2lab

from colorize_core.archiving.state import ledger
from colorize_core.images.decode import read_photograph
from jobs.archive import command
from jobs.exits import TOO_MANY_FAILED, status_of
from tests.support.image_files import (
    BILEVEL,
    DEEP,
    DEEP_RGB,
    GRAY,
    LAYOUTS,
    RGB,
    deep_png,
    png_chunks,
    png_with,
    save,
    tiff,
)
from tests.support.rare_files import ALL_LAYOUTS, TIFF_LAYOUTS, tiff_of

SUFFIX = {"jpeg": ".jpg", "tiff": ".tif", "webp": ".webp", "bmp": ".bmp", "jp2": ".jp2", "png": ".png"}
SUFFIX |= {"pbm": ".pbm", "pgm": ".pgm", "ppm": ".ppm", "gif": ".gif"}


def whole() -> dict[str, tuple[bytes, NDArray[Any], float]]:
    """File, pixels and tolerance by name."""
    files = {
        f"{layout}{SUFFIX[layout.split('-')[0]]}": (content, pixels, tolerance)
        for layout, (content, pixels, _, tolerance) in ALL_LAYOUTS.items()
    }
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        content = save(Image.fromarray(GRAY), "PNG", exif=exif)
        files[f"turned-{orientation}.png"] = (content, read_photograph(content).pixels, 0)
    tall, wide = np.repeat(GRAY[:, :3], 12, axis=0), np.repeat(GRAY[:3], 12, axis=1)
    for name, pixels in {"1x1": GRAY[:1, :1], "1x500": np.resize(GRAY, (500, 1)), "tall": tall, "wide": wide}.items():
        files[f"{name}.png"] = (save(Image.fromarray(np.ascontiguousarray(pixels)), "PNG"), pixels, 0)
    frames = [Image.fromarray(GRAY), Image.fromarray(255 - GRAY)]
    for name, kind in {"moving.gif": "GIF", "moving.png": "PNG", "moving.webp": "WEBP", "pages.tif": "TIFF"}.items():
        options = {"lossless": True} if kind == "WEBP" else {}
        files[name] = (save(frames[0], kind, save_all=True, append_images=frames[1:], **options), GRAY, 0)
    files["a jpeg file.png"] = (*LAYOUTS["jpeg-L"][:2], 6)
    files["a png file.jpg"] = (LAYOUTS["png-L"][0], GRAY, 0)
    files["SHOUTED.JPEG"] = (*LAYOUTS["jpeg-L"][:2], 6)
    fax = save(Image.fromarray(BILEVEL).convert("1"), "TIFF", compression="group3")
    files["fax3.tif"] = (fax, BILEVEL, 0)
    files["packbits.tif"] = (save(Image.fromarray(GRAY), "TIFF", compression="packbits"), GRAY, 0)
    files["jpeg in.tif"] = (save(Image.fromarray(GRAY), "TIFF", compression="jpeg", quality=98), GRAY, 6)
    files["broken exif.jpg"] = (save(Image.fromarray(GRAY), "JPEG", quality=98, exif=b"Exif\0\0rubbish"), GRAY, 6)
    files["broken profile.png"] = (save(Image.fromarray(GRAY), "PNG", icc_profile=b"x" * 200), GRAY, 0)
    files["after the end.png"] = (LAYOUTS["png-L"][0] + b"more" * 100, GRAY, 0)
    files["unknown chunk.png"] = (png_with(LAYOUTS["png-L"][0], b"prVt", b"mine"), GRAY, 0)
    # The pixels have a checksum of their own, by which they are right.
    files["wrong checksum.png"] = (_checksum_off(LAYOUTS["png-L"][0], b"IDAT"), GRAY, 0)
    return files


def _checksum_off(png: bytes, kind: bytes) -> bytes:
    out = png[:8]
    for name, chunk in png_chunks(png):
        out += chunk[:-4] + bytes(4) if name == kind else chunk
    return out


def _of_compression(little_endian: bytes, number: int) -> bytes:
    return little_endian.replace(struct.pack("<HHII", 259, 3, 1, 1), struct.pack("<HHII", 259, 3, 1, number))


def _huge_png(side: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = b"IDAT" + zlib.compress(bytes(1000))
    chunks = b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (head, body))
    return b"\x89PNG\r\n\x1a\n" + chunks


def broken() -> dict[str, tuple[bytes, str]]:
    """File and reason by name."""
    files: dict[str, tuple[bytes, str]] = {}
    for layout in (
        "jpeg-L",
        "jpeg-CMYK",
        "png-L",
        "png-RGB-16",
        "tiff-L-lzw",
        "tiff-16",
        "tiff-1",
        "webp-L",
        "bmp-L",
        "gif",
    ):
        content = LAYOUTS[layout][0]
        files[f"cut {layout}{SUFFIX[layout.split('-')[0]]}"] = (content[: len(content) * 2 // 3], "damaged")
    large = save(Image.fromarray(np.zeros((9, 9), np.uint8)), "JPEG")
    at = large.index(b"\xff\xc0") + 5
    files["65500x65500.jpg"] = (large[:at] + struct.pack(">HH", 65500, 65500) + large[at + 4 :], "too_large")
    files["65500x65500.png"] = (_huge_png(65500), "too_large")
    files["65500x65500.tif"] = (tiff("<", 65500, 65500, 8, 1, bytes(100)), "too_large")
    files["zeros.png"] = (_huge_png(2000), "damaged")
    files["wrong checksum 16.png"] = (_checksum_off(deep_png(np.dstack([DEEP] * 3)), b"IDAT"), "damaged")
    files["no pixels.png"] = (LAYOUTS["png-L"][0][:33], "damaged")
    files["page.jpg"] = (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "not_an_image")
    files["drawing.png"] = (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "not_an_image")
    files["letter.tif"] = (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "unsupported")
    files["figure.tiff"] = (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "not_an_image")
    files["icon.bmp"] = (save(Image.fromarray(RGB), "ICO"), "not_an_image")
    files["nothing.jpg"] = (b"", "empty")
    files["zeros.jpg"] = (bytes(5000), "not_an_image")
    for layout in ("tiff-LA-16", "tiff-big-RGB-big-endian", "tiff-RGB-16-jpeg2000", "tiff-Lab-16-tiles"):
        content = TIFF_LAYOUTS[layout][0]
        files[f"cut {layout}.tif"] = (content[: len(content) * 2 // 3], "damaged")
    files["deep 65500x65500.tif"] = (tiff("<", 65500, 65500, 16, 0, bytes(100)), "too_large")
    files["no such compression.tif"] = (_of_compression(tiff_of(DEEP_RGB, 2), 65001), "unsupported")
    files["float.tif"] = (save(Image.fromarray(GRAY.astype(np.float32)), "TIFF"), "unsupported")
    return files


def test_each_is_right_or_failed_with_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = whole(), broken()
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    for name, content in {**{n: f[0] for n, f in good.items()}, **{n: f[0] for n, f in bad.items()}}.items():
        (scans / name).write_bytes(content)
    assert len(good) + len(bad) > 150
    assert status_of(command, [str(scans), str(out), "--recolor", "--runner=local"]) == TOO_MANY_FAILED
    assert "Traceback" not in "".join(capsys.readouterr())
    rows = {Path(source).name: row for source, row in ledger.latest(str(out)).items()}
    assert rows.keys() == good.keys() | bad.keys()
    wrong = {name: (row.reason, row.message) for name, row in rows.items() if name in good and row.status != "ok"}
    assert wrong == {}
    reasons = {name: rows[name].reason for name in bad}
    assert reasons == {name: reason for name, (_, reason) in bad.items()}
    assert all(len(rows[name].message) > 10 for name in bad)
    for name, (_, pixels, tolerance) in good.items():
        with Image.open(io.BytesIO((out / rows[name].output).read_bytes())) as result:
            assert result.size == (pixels.shape[1], pixels.shape[0])
        found = read_photograph((out / rows[name].output).read_bytes())
        assert found.depth == (16 if pixels.dtype == np.uint16 else 8), name
        difference = np.abs(_lightness(found.pixels) - _lightness(pixels)).max()
        assert difference < (0.6 + 0.5 * tolerance / (257 if found.depth == 16 else 1)), name


def _lightness(pixels: NDArray[Any]) -> NDArray[np.float64]:
    pixels = pixels if pixels.dtype.kind == "u" else np.rint(pixels).astype(np.uint8)
    found: NDArray[np.float64] = rgb2lab(pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1))[..., 0]
    return found
