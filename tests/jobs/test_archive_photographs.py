"""What becomes of photographs of each kind and in each format: color, pages, depth, chroma."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import duckdb
import imagecodecs
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import ray
import tifffile
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2lab

from colorize_core.archiving.state import ledger
from colorize_core.images.metadata.provenance import is_ours
from jobs.exits import DONE, TOO_MANY_FAILED
from tests.support.archive_job import archive, lightness, load, results, runs

LEVEL = 100 / 255  # one of 255 steps of lightness, in units of L


def test_what_is_in_color_is_left_alone_and_what_is_toned_is_not(
    photographs: dict[str, NDArray[np.uint8]], tmp_path: Path
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    Image.fromarray(photographs["coffee"]).save(scans / "color.jpg")
    gray = Image.fromarray(photographs["rocket"]).convert("L")
    sepia = np.stack([np.asarray(gray) ** 0.9 * 1.6, np.asarray(gray) * 0.9, np.asarray(gray) * 0.7], axis=-1)
    Image.fromarray(np.clip(sepia, 0, 255).astype(np.uint8)).save(scans / "sepia.jpg")
    assert archive(scans, out, "--format", "parquet") == DONE
    rows = {Path(row["source"]).name: row for name in results(out) for row in pq.read_table(out / name).to_pylist()}
    assert {name: (row["status"], row["reason"]) for name, row in rows.items()} == {
        "color.jpg": ("skipped", "in_color"),
        "sepia.jpg": ("ok", ""),
    }
    assert rows["color.jpg"]["image"] is None
    assert (runs(out)[0]["ok"], runs(out)[0]["skipped"], runs(out)[0]["failed"]) == (1, 1, 0)
    assert archive(scans, out, "--format", "parquet") == DONE
    assert archive(scans, out, "--format", "parquet", "--recolor") == DONE
    assert [run["planned"] for run in runs(out)] == [2, 0, 1]
    last = ledger.latest(str(out))[str(scans / "color.jpg")]
    assert (last.status, last.run_id) == ("ok", runs(out)[2]["run_id"])


def test_each_page_of_a_tiff_file_is_an_output(photographs: dict[str, NDArray[np.uint8]], tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    coffee = photographs["coffee"]
    gray = [np.asarray(Image.fromarray(photographs[name]).convert("L")) for name in ("rocket", "chelsea")]
    deep = gray[1].astype(np.uint16) * 257
    with tifffile.TiffWriter(scans / "album.tif") as file:
        file.write(gray[0], description="the first")
        file.write(gray[0][::8, ::8], subfiletype=1)  # its thumbnail
        file.write(coffee, photometric="rgb", description="in color")
        file.write(deep, description="the third")
    shutil.copy(scans / "album.tif", scans / "copy.tif")
    with tifffile.TiffWriter(scans / "broken.tif") as file:
        for _ in range(2):
            file.write(gray[0], compression="zlib")
    content = bytearray((scans / "broken.tif").read_bytes())
    with tifffile.TiffFile(scans / "broken.tif") as file:
        strip = file.pages[1].dataoffsets[0]  # type: ignore[union-attr]
    content[strip : strip + 99] = bytes(99)
    (scans / "broken.tif").write_bytes(content)
    assert archive(scans, out, "--dedupe") == TOO_MANY_FAILED
    names = ["album.page-2.png", "album.page-3.png", "album.png", "copy.page-2.png", "copy.page-3.png", "copy.png"]
    assert sorted(results(out)) == names
    first, second, third = (load(out / name) for name in (names[2], names[0], names[1]))
    assert [page.getexif()[0x010E] for page in (first, second, third)] == ["the first", "in color", "the third"]
    np.testing.assert_array_equal(np.asarray(second), coffee)  # it has its own colors
    assert [b"DigitalSourceType" in (out / name).read_bytes() for name in names[:3]] == [False, True, True]
    assert imagecodecs.png_decode((out / names[1]).read_bytes()).dtype == np.uint16
    assert np.abs(lightness(first) - lightness(Image.fromarray(gray[0]))).max() <= LEVEL
    assert all(is_ours(io.BytesIO((out / name).read_bytes())) for name in names)
    rows = {Path(row.source).name: row for row in ledger.latest(str(out)).values()}
    assert [(rows[name].status, rows[name].pages) for name in ("album.tif", "copy.tif")] == [("ok", 3), ("ok", 3)]
    assert rows["album.tif"].bytes == sum((out / name).stat().st_size for name in names[:3])
    kept = (rows["album.tif"].reason, rows["album.tif"].message)
    assert kept == ("in_color", "1 of 3 pages is in color already: --recolor gives new colors")
    assert rows["copy.tif"].reason == "in_color"
    assert runs(out)[0]["reasons"] == {"damaged": 1}
    assert (rows["broken.tif"].reason, rows["broken.tif"].message[:12]) == ("damaged", "page 2 of 2:")
    (scans / "broken.tif").unlink()
    assert archive(scans, out, "--dedupe", "--recolor") == DONE
    assert runs(out)[1]["planned"] == 2
    assert is_ours(io.BytesIO((out / names[0]).read_bytes()))
    assert b"DigitalSourceType" in (out / names[0]).read_bytes()
    assert ledger.latest(str(out))[str(scans / "album.tif")].reason == ""
    assert archive(scans, tmp_path / "shards", "--format", "parquet") == DONE
    shards = sorted(results(tmp_path / "shards"))
    pages = [row for name in shards for row in pq.read_table(tmp_path / "shards" / name).to_pylist()]
    assert [(row["page"], row["width"]) for row in pages if row["source"].endswith("album.tif")] == [
        (1, 640),
        (2, 600),
        (3, 451),
    ]


def test_16_bits_go_through(tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(ramp).save(scans / "ramp.tif", dpi=(600, 600))
    assert archive(scans, out, "--format", "tiff", "--tiff-compression", "deflate") == DONE
    with tifffile.TiffFile(out / "ramp.tif") as file:
        found, tags = file.asarray(), file.pages[0].tags  # type: ignore[union-attr]
        assert (found.dtype, found.shape, tags["Compression"].value) == (np.uint16, (256, 256, 3), 8)
    meant = rgb2lab(np.stack([ramp] * 3, axis=-1))[..., 0]
    difference = np.abs(rgb2lab(found)[..., 0] - meant)
    assert difference.max() < 100 / 4096
    assert len(np.unique(found[..., 1])) > 4096
    [row] = ledger.latest(str(out)).values()
    assert row.settings.endswith(" tiff_compression=deflate")
    assert archive(scans, tmp_path / "png") == DONE
    assert imagecodecs.png_decode((tmp_path / "png" / "ramp.png").read_bytes()).dtype == np.uint16


@pytest.mark.parametrize(("file_format", "suffix"), [("jpeg", ".jpg"), ("webp", ".webp")])
def test_lossy_formats(archive_dir: Path, tmp_path: Path, file_format: str, suffix: str) -> None:
    out = tmp_path / "out"
    assert archive(archive_dir / "astronaut.png", out, "--format", file_format) == DONE
    result = load(out / f"astronaut{suffix}")
    assert result.format == file_format.upper()
    difference = np.abs(lightness(result) - lightness(load(archive_dir / "astronaut.png")))
    assert difference.mean() <= 2 * LEVEL  # what the codec loses; PNG keeps every level


@pytest.mark.usefixtures("ray_here")  # which reads it, too
def test_parquet_carries_the_images_and_the_failures(archive_dir: Path, tmp_path: Path) -> None:
    (archive_dir / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    out = tmp_path / "out"
    (out / "_runs").mkdir(parents=True)
    orphan = out / "part-20260102T030405Z-abcdef-00000000-0.parquet"
    orphan.write_bytes(b"a shard that no ledger row names, since its run was killed")
    assert archive(archive_dir, out, "--format", "parquet") == TOO_MANY_FAILED
    rows = [row for name in results(out) for row in pq.read_table(out / name).to_pylist()]
    assert {Path(row["source"]).name: row["status"] for row in rows} == {
        "astronaut.png": "ok",
        "chelsea.jpg": "ok",
        "coffee.TIF": "ok",
        "broken.jpg": "failed",
    }
    for row in rows:
        if row["status"] == "ok":
            image = load(io.BytesIO(row["image"]))
            assert image.size == (row["width"], row["height"]) == load(Path(row["source"])).size
        else:
            assert row["image"] is None
            assert row["reason"] in ("damaged", "not_an_image")
    assert {row.output for row in ledger.latest(str(out)).values()} == set(results(out))

    written = {(row["source"], row["image"]) for row in rows}
    by_pandas = pd.concat(pd.read_parquet(out / name) for name in sorted(results(out)))
    by_duckdb = duckdb.read_parquet(f"{out}/*.parquet").project("source, image").fetchall()
    by_ray = ray.data.read_parquet([str(out / name) for name in sorted(results(out))]).take_all()
    assert {(source, image) for source, image in zip(by_pandas["source"], by_pandas["image"], strict=True)} == written
    assert set(by_duckdb) == written
    assert {(row["source"], row["image"]) for row in by_ray} == written


def test_saturation_is_the_factor_of_the_chroma(archive_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    chroma = {}
    for value in ("0", "faithful", "1", "vivid"):
        assert archive(archive_dir / "album", out, f"--saturation={value}") == DONE
        ab = rgb2lab(np.asarray(load(out / "chelsea.png")))[..., 1:]
        chroma[value] = float(np.hypot(ab[..., 0], ab[..., 1]).mean())
    assert [run["ok"] for run in runs(out)] == [2, 2, 0, 2]  # 1 is faithful
    assert [run["saturation"] for run in runs(out)] == [0, 1, 1, "vivid"]
    assert chroma["0"] == pytest.approx(0, abs=0.1)
    assert chroma["vivid"] > 1.05 * chroma["faithful"]
    assert archive(archive_dir / "album", out, "--saturation=1.4") == DONE
    ab = rgb2lab(np.asarray(load(out / "chelsea.png")))[..., 1:]
    assert np.hypot(ab[..., 0], ab[..., 1]).mean() == pytest.approx(1.4 * chroma["faithful"], rel=0.05)
