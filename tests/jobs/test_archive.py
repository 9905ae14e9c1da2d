"""``colorize archive`` as a user calls it, on Ray, with the shipped model."""

from __future__ import annotations

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
from skimage.color import rgb2lab

from colorize_core.archiving.state import ledger
from colorize_core.errors import printable
from jobs.exits import DONE, INTERRUPTED, TOO_MANY_FAILED, USAGE
from tests.support.archive_job import archive, lightness, load, results, runs
from tests.support.processes import hear_signals

LEVEL = 100 / 255  # one of 255 steps of lightness, in units of L


def test_colorizes_a_tree_at_full_resolution_and_only_once(archive_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert archive(archive_dir, out) == DONE
    assert sorted(results(out)) == ["album/chelsea.png", "album/coffee.png", "astronaut.png"]
    for before in ("album/chelsea.jpg", "album/coffee.TIF", "astronaut.png"):
        source, result = load(archive_dir / before), load((out / before).with_suffix(".png"))
        assert result.size == source.size
        assert np.abs(lightness(result) - lightness(source)).max() <= LEVEL
        assert rgb2lab(np.asarray(result))[..., 1:].std() > 1  # colors, not gray
    rows = ledger.latest(str(out))
    assert {(Path(row.source).name, row.status, row.output) for row in rows.values()} == {
        ("astronaut.png", "ok", "astronaut.png"),
        ("chelsea.jpg", "ok", "album/chelsea.png"),
        ("coffee.TIF", "ok", "album/coffee.png"),
    }
    [run] = runs(out)
    assert (run["status"], run["photographs"], run["ok"], run["failed"], run["other_files"]) == ("done", 3, 3, 0, 1)

    times = {name: (out / name).stat().st_mtime_ns for name in sorted(results(out))}
    shutil.copy(archive_dir / "astronaut.png", archive_dir / "second.png")
    assert archive(archive_dir, out) == DONE
    assert sorted(results(out)) == ["album/chelsea.png", "album/coffee.png", "astronaut.png", "second.png"]
    assert {name: (out / name).stat().st_mtime_ns for name in times} == times
    assert (runs(out)[1]["finished_before"], runs(out)[1]["ok"]) == (3, 1)


def test_a_model_or_setting_that_changed_is_a_new_result(
    archive_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert archive(archive_dir, out, "--limit", "2") == DONE
    assert len(sorted(results(out))) == 2
    capsys.readouterr()
    assert archive(archive_dir, out, "--format", "jpeg", "--dry-run") == DONE
    shown = capsys.readouterr().out
    assert "3 to colorize" in shown
    assert "2 of them were done before by another model or with other settings" in shown
    assert len(sorted(results(out))) == 2


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


def test_every_file_is_accounted_for(zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert archive(zoo, out) == TOO_MANY_FAILED
    ended = {Path(row.source).name: row for row in ledger.latest(str(out)).values()}
    assert {name: row.reason for name, row in ended.items() if row.status == "failed"} == {
        "truncated.jpg": "damaged",
        "text.jpg": "not_an_image",
        "empty.png": "empty",
    }
    assert sorted(ended) == sorted(printable(path.name) for path in zoo.iterdir())
    assert sorted(row.output for row in ended.values() if row.status == "ok") == sorted(results(out))
    assert load(out / "rotated.png").size == (300, 512)
    assert load(out / "rotated.png").getexif().get(0x0112, 1) == 1
    assert load(out / "one.png").size == (1, 1)
    assert load(out / "palette.png").mode == "RGBA"
    assert "text.jpg: not_an_image" in capsys.readouterr().out

    assert archive(zoo, out) == DONE  # failed before, left alone
    shutil.copy(zoo / "whole.jpg", zoo / "truncated.jpg")
    assert archive(zoo, out, "--retry-failed", "--max-failed", "0.9") == DONE
    assert [row.status for row in ledger.latest(str(out)).values()].count("failed") == 2


def test_help_names_all_that_input_may_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert archive("--help") == DONE
    printed = " ".join(capsys.readouterr().out.split())
    for kind in ("a folder", "a glob", "an image", ".tar", ".zip", ".parquet", ".txt"):
        assert kind in printed


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
        ([archive_dir / "notes.txt", tmp_path / "out"], "holds no photograph"),  # as a list of paths
        ([Path(__file__), tmp_path / "out"], "is a file, but not an image"),
        ([archive_dir, archive_dir / "out"], "lies inside INPUT"),
        ([archive_dir, archive_dir], "lies inside INPUT"),
        ([archive_dir / "*.png", archive_dir], "lies inside INPUT"),
        ([archive_dir / "**" / "*.png", archive_dir / "out"], "lies inside INPUT"),
        (["", tmp_path / "out"], "the path is empty"),
        (["foo://x", tmp_path / "out"], "foo"),
        ([archive_dir, tmp_path / "empty" / ".."], "lies inside OUTPUT"),
        ([archive_dir, archive_dir.parent / "taken"], "did not make"),
        ([archive_dir, tmp_path], "lies inside OUTPUT"),
        ([archive_dir, tmp_path / "out", "--model", "unknown"], "no model bundle 'unknown'"),
        ([archive_dir, tmp_path / "one.png"], "is named like an image, and archive writes a folder"),
        ([archive_dir, tmp_path / "file" / "out"], "cannot be written"),
        ([archive_dir, "/proc/out"], "cannot be written"),
        ([archive_dir, tmp_path / "out", "--format", "gif"], "gif"),
        ([archive_dir, tmp_path / "out", "--quality", "80"], "--quality is for jpeg and webp: the format is png"),
        ([archive_dir, tmp_path / "out", "--format", "tiff", "--png-level", "0"], "--png-level is for png"),
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


@pytest.mark.parametrize("runner", ["local", "ray"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_goes_on_where_it_ended(
    tmp_path: Path, gray_photographs: dict[str, NDArray[np.uint8]], number: signal.Signals, runner: str
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    for i in range(240):
        Image.fromarray(np.roll(gray_photographs["coffee"], i, axis=1)[:250, :300]).save(scans / f"{i:03d}.jpg")
    call = [sys.executable, "-m", "jobs.archive", str(scans), str(out), "--runner", runner]

    with subprocess.Popen(
        call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=hear_signals
    ) as process:
        deadline = time.monotonic() + 600
        while not list(out.glob("_ledger/*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=900)
    assert process.returncode == INTERRUPTED, printed
    assert "Traceback" not in printed
    done = ledger.latest(str(out))
    assert 0 < len(done) < 240
    assert runs(out)[0]["status"] == "interrupted"
    for name in sorted(results(out)):
        load(out / name)  # none is half-written

    assert archive(scans, out) == DONE
    assert runs(out)[1]["finished_before"] == len(done)
    assert sorted(results(out)) == [f"{i:03d}.png" for i in range(240)]
    rows = [row for path in out.glob("_ledger/*.parquet") for row in pq.read_table(path).to_pylist()]
    assert len(rows) == len({row["source"] for row in rows}) == 240


def test_a_submitted_job_needs_an_output_that_lasts(
    archive_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON", "{}")  # as ray job submit sets it
    assert archive(archive_dir, "colored") == USAGE
    assert "OUTPUT colored is relative" in capsys.readouterr().err
    assert archive(archive_dir, tmp_path / "colored", "--dry-run") == DONE
