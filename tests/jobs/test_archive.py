"""``colorize archive`` as a user calls it, on Ray, with the shipped model."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image
from processes import hear_signals
from skimage.color import rgb2lab

from colorize_core import load_bundle
from colorize_core.archive import ledger
from colorize_core.errors import printable
from jobs.archive import command
from jobs.exits import DONE, INTERRUPTED, TOO_MANY_FAILED, USAGE, status_of

LEVEL = 100 / 255  # one of 255 steps of lightness, in units of L


def archive(*arguments: str | os.PathLike[str]) -> int:
    """The exit status of ``colorize archive``."""
    return status_of(command, [os.fspath(argument) for argument in arguments])


def load(path: Path | io.BytesIO) -> Image.Image:
    with Image.open(path) as image:
        image.load()
    return image


def lightness(image: Image.Image) -> NDArray[np.float64]:
    return rgb2lab(np.asarray(image.convert("RGB")))[..., 0]


def outputs(folder: Path) -> list[str]:
    """Every file below OUTPUT that is not the job's own record, hidden ones too."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.startswith(("_ledger/", "_runs/")))


def runs(folder: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted((folder / "_runs").iterdir(), key=os.path.getmtime)]


@pytest.mark.usefixtures("ray_here")
def test_colorizes_a_tree_at_full_resolution_and_only_once(archive_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert archive(archive_dir, out) == DONE
    assert outputs(out) == ["album/chelsea.png", "album/coffee.png", "astronaut.png"]
    for before in ("album/chelsea.jpg", "album/coffee.TIF", "astronaut.png"):
        source, result = load(archive_dir / before), load((out / before).with_suffix(".png"))
        assert result.size == source.size
        assert np.abs(lightness(result) - lightness(source)).max() <= LEVEL
        assert rgb2lab(np.asarray(result))[..., 1:].std() > 1  # colors, not gray
    rows = ledger.read(str(out)).latest
    assert {(Path(row.source).name, row.status, row.output) for row in rows.values()} == {
        ("astronaut.png", "ok", "astronaut.png"),
        ("chelsea.jpg", "ok", "album/chelsea.png"),
        ("coffee.TIF", "ok", "album/coffee.png"),
    }
    [run] = runs(out)
    assert (run["status"], run["photographs"], run["ok"], run["failed"], run["other_files"]) == ("done", 3, 3, 0, 1)

    times = {name: (out / name).stat().st_mtime_ns for name in outputs(out)}
    shutil.copy(archive_dir / "astronaut.png", archive_dir / "second.png")
    assert archive(archive_dir, out) == DONE
    assert outputs(out) == ["album/chelsea.png", "album/coffee.png", "astronaut.png", "second.png"]
    assert {name: (out / name).stat().st_mtime_ns for name in times} == times
    assert (runs(out)[1]["finished_before"], runs(out)[1]["ok"]) == (3, 1)


@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize(("file_format", "suffix"), [("jpeg", ".jpg"), ("webp", ".webp")])
def test_lossy_formats(archive_dir: Path, tmp_path: Path, file_format: str, suffix: str) -> None:
    out = tmp_path / "out"
    assert archive(archive_dir / "astronaut.png", out, "--format", file_format) == DONE
    result = load(out / f"astronaut{suffix}")
    assert result.format == file_format.upper()
    difference = np.abs(lightness(result) - lightness(load(archive_dir / "astronaut.png")))
    assert difference.mean() <= 2 * LEVEL  # what the codec loses; PNG keeps every level


@pytest.mark.usefixtures("ray_here")
def test_parquet_carries_the_images_and_the_failures(archive_dir: Path, tmp_path: Path) -> None:
    (archive_dir / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    out = tmp_path / "out"
    (out / "_runs").mkdir(parents=True)
    orphan = out / f"part-20260102T030405Z-abcdef-{'0' * 32}.parquet"
    orphan.write_bytes(b"a shard that no ledger row names, since its run was killed")
    assert archive(archive_dir, out, "--format", "parquet") == TOO_MANY_FAILED
    rows = [row for name in outputs(out) for row in pq.read_table(out / name).to_pylist()]
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
    assert {row.output for row in ledger.read(str(out)).latest.values()} == set(outputs(out))


@pytest.mark.usefixtures("ray_here")
def test_a_model_or_setting_that_changed_is_a_new_result(
    archive_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert archive(archive_dir, out, "--limit", "2") == DONE
    assert len(outputs(out)) == 2
    capsys.readouterr()
    assert archive(archive_dir, out, "--format", "jpeg", "--dry-run") == DONE
    shown = capsys.readouterr().out
    assert "3 to colorize" in shown
    assert "2 of them were done before by another model or with other settings" in shown
    assert len(outputs(out)) == 2


@pytest.mark.usefixtures("ray_here")
def test_saturation_is_the_factor_of_the_chroma(archive_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    chroma = {}
    for value in ("0", "faithful", "1", "vivid"):
        assert archive(archive_dir / "album", out, f"--saturation={value}") == DONE
        ab = rgb2lab(np.asarray(load(out / "chelsea.png")))[..., 1:]
        chroma[value] = float(np.hypot(ab[..., 0], ab[..., 1]).mean())
    assert [run["ok"] for run in runs(out)] == [2, 2, 0, 2]  # 1 is faithful
    gain = load_bundle("default").saturation["vivid"]
    assert [run["saturation"] for run in runs(out)] == [0, 1, 1, gain]
    assert chroma["0"] == pytest.approx(0, abs=0.1)
    assert chroma["vivid"] == pytest.approx(gain * chroma["faithful"], rel=0.05)


@pytest.fixture
def zoo(tmp_path: Path, gray_photographs: dict[str, NDArray[np.uint8]]) -> Path:
    """What lies in real archives: three files that nobody can colorize, and seven that only look so."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    gray = Image.fromarray(gray_photographs["astronaut"])
    gray.save(folder / "whole.jpg")
    shutil.copy(folder / "whole.jpg", os.fsencode(folder) + b"/caf\xe9.jpg")
    (folder / "truncated.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:9000])
    (folder / "text.jpg").write_text("<html>404</html>")
    (folder / "empty.png").touch()
    gray.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(np.asarray(gray).astype(np.uint16) * 257).save(folder / "sixteen.tif")
    gray.convert("P").save(folder / "palette.png", transparency=3)
    Image.new("L", (1, 1), 99).save(folder / "one.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    gray.crop((0, 0, 512, 300)).save(folder / "rotated.jpg", exif=exif)
    Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (20, 8))).save(folder / "panorama.bmp")
    return folder


@pytest.mark.usefixtures("ray_here")
def test_every_file_is_accounted_for(zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert archive(zoo, out) == TOO_MANY_FAILED
    ended = {Path(row.source).name: row for row in ledger.read(str(out)).latest.values()}
    assert {name: row.reason for name, row in ended.items() if row.status == "failed"} == {
        "truncated.jpg": "damaged",
        "text.jpg": "not_an_image",
        "empty.png": "empty",
    }
    assert sorted(ended) == sorted(printable(path.name) for path in zoo.iterdir())
    assert sorted(row.output for row in ended.values() if row.status == "ok") == outputs(out)
    assert load(out / "rotated.png").size == (300, 512)
    assert load(out / "rotated.png").getexif().get(0x0112, 1) == 1
    assert load(out / "one.png").size == (1, 1)
    assert load(out / "palette.png").mode == "RGBA"
    assert "text.jpg: not_an_image" in capsys.readouterr().out

    assert archive(zoo, out) == DONE  # failed before, left alone
    shutil.copy(zoo / "whole.jpg", zoo / "truncated.jpg")
    assert archive(zoo, out, "--retry-failed", "--max-failed", "0.9") == DONE
    assert [row.status for row in ledger.read(str(out)).latest.values()].count("failed") == 2


def test_what_is_wrong_is_said_in_one_line(
    archive_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.png").touch()
    before = sorted(tmp_path.rglob("*"))
    for arguments, words in (
        ([tmp_path / "nowhere", tmp_path / "out"], "does not exist"),
        ([tmp_path / "empty", tmp_path / "out"], "holds no photograph"),
        ([tmp_path / "empty" / "*.png", tmp_path / "out"], "holds no photograph"),
        ([archive_dir / "notes.txt", tmp_path / "out"], "is a file but no image"),
        ([archive_dir, archive_dir / "out"], "lies inside INPUT"),
        ([archive_dir, archive_dir], "lies inside INPUT"),
        ([archive_dir / "*.png", archive_dir], "lies inside INPUT"),
        ([archive_dir / "**" / "*.png", archive_dir / "out"], "lies inside INPUT"),
        (["", tmp_path / "out"], "an empty path"),
        (["foo://x", tmp_path / "out"], "foo"),
        ([archive_dir, tmp_path / "empty" / ".."], "lies inside OUTPUT"),
        ([archive_dir, archive_dir.parent / "taken"], "did not make"),
        ([archive_dir, tmp_path], "lies inside OUTPUT"),
        ([archive_dir, tmp_path / "out", "--model", "unknown"], "no model bundle 'unknown'"),
        ([archive_dir, tmp_path / "file" / "out"], "cannot be written"),
        ([archive_dir, "/proc/out"], "cannot be written"),
        ([archive_dir, tmp_path / "out", "--format", "gif"], "gif"),
        ([archive_dir, tmp_path / "out", "--saturation", "nan"], "not a finite number. Or write faithful or vivid."),
        ([archive_dir, tmp_path / "out", "--saturation", "-1"], "Or write faithful or vivid."),
        ([archive_dir, tmp_path / "out", "--saturation", "lively"], "Or write faithful or vivid."),
    ):
        assert archive(*arguments) == USAGE, arguments
        printed = capsys.readouterr()
        error_lines = [line for line in printed.err.splitlines() if "Error:" in line or line.startswith("colorize:")]
        assert len(error_lines) == 1, printed
        assert words in error_lines[0]
        assert "Traceback" not in printed.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_goes_on_where_it_ended(
    tmp_path: Path, gray_photographs: dict[str, NDArray[np.uint8]], number: signal.Signals
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    for i in range(240):
        Image.fromarray(np.roll(gray_photographs["coffee"], i, axis=1)).save(scans / f"{i:03d}.jpg")
    call = [sys.executable, "-m", "jobs.archive", str(scans), str(out)]

    with subprocess.Popen(
        call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=hear_signals
    ) as process:
        deadline = time.monotonic() + 120
        while not list(out.glob("_ledger/*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=120)
    assert process.returncode == INTERRUPTED, printed
    assert "Traceback" not in printed
    done = ledger.read(str(out)).latest
    assert 0 < len(done) < 240
    assert runs(out)[0]["status"] == "interrupted"
    for name in outputs(out):
        load(out / name)  # none is half-written

    second = subprocess.run(call, capture_output=True, text=True, check=False)
    assert second.returncode == DONE, second.stdout + second.stderr
    assert runs(out)[1]["finished_before"] == len(done)
    assert outputs(out) == [f"{i:03d}.png" for i in range(240)]
    rows = [row for path in (out / "_ledger").iterdir() for row in pq.read_table(path).to_pylist()]
    assert len(rows) == len({row["source"] for row in rows}) == 240


def test_a_submitted_job_needs_an_output_that_lasts(
    archive_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON", "{}")  # as ray job submit sets it
    assert archive(archive_dir, "colored") == USAGE
    assert "OUTPUT colored is relative" in capsys.readouterr().err
    assert archive(archive_dir, tmp_path / "colored", "--dry-run") == DONE
