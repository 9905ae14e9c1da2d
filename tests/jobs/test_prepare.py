"""``colorize prepare`` as a user calls it, and training on what it leaves."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_core import datasets, load_bundle, load_pairs
from colorize_core.datasets import prepared
from colorize_core.datasets.rows import ReadPlan, RowBatch
from colorize_core.datasets.splits import SplitRule
from colorize_core.datasets.statistics import fingerprint
from colorize_core.images import decode
from colorize_core.images.resizing import to_square
from colorize_core.preprocessing.pairs import to_pair
from jobs import train
from jobs.exits import DONE, FAILED, INTERRUPTED, USAGE, status_of
from jobs.prepare import command
from tests.support.processes import hear_signals


def prepare(*arguments: str | os.PathLike[str]) -> int:
    return status_of(command, [os.fspath(argument) for argument in arguments])


def facts(output: Path) -> dict[str, object]:
    made: dict[str, object] = json.loads((output / "dataset.json").read_text())
    return made


def stored(output: Path) -> dict[str, tuple[str, NDArray[np.uint8]]]:
    """Split and pixels of every image, by id."""
    found: dict[str, tuple[str, NDArray[np.uint8]]] = {}
    for chunk in prepared.plan_prepared(str(output), SplitRule()).chunks:
        for rows in chunk():
            _no_reject(rows)
            assert not found.keys() & set(rows.id), "stored twice"
            found |= {id_: (split, image) for id_, split, image in zip(rows.id, rows.split, rows.rgb, strict=True)}
    return found


def _no_reject(rows: RowBatch) -> None:
    assert not any(rows.reason)


@pytest.fixture
def album(color_dir: Path, tmp_path: Path) -> Path:
    """Photographs, two that cannot be read and one without a color."""
    folder = tmp_path / "album"
    shutil.copytree(color_dir, folder)
    (folder / "cut.jpg").write_bytes((folder / "coffee-00.jpg").read_bytes()[:3000])
    (folder / "text.png").write_text("no photograph")
    Image.new("RGB", (200, 150), (90, 90, 90)).save(folder / "gray.png")
    return folder


@pytest.mark.usefixtures("ray_here")
def test_a_folder_becomes_shards_that_a_person_can_check(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "prepared"
    assert prepare("folder", album, out, "--size", "40", "--min-chroma", "1") == DONE
    assert sorted(path.name for path in out.iterdir()) == [
        "dataset.json",
        "rejected.csv",
        "samples.png",
        "test",
        "train",
        "val",
    ]
    images = stored(out)
    names = {path.name for path in album.iterdir()}
    assert images.keys() == names - {"cut.jpg", "text.png", "gray.png"}
    for name, (split, pixels) in images.items():
        assert split == SplitRule().of(name)
        expected = to_square(decode.read_rgb((album / name).read_bytes()), 40, "center")
        np.testing.assert_array_equal(pixels, expected)
    said = facts(out)
    assert said["images"] == {s: sum(split == s for split, _ in images.values()) for s in ("train", "val", "test")}
    assert said["rejected"] == {"damaged": 1, "near_gray": 1, "not_an_image": 1}
    with open(out / "rejected.csv", newline="") as file:
        assert {row["id"]: row["reason"] for row in csv.DictReader(file)} == {
            "cut.jpg": "damaged",
            "gray.png": "near_gray",
            "text.png": "not_an_image",
        }
    learned = np.stack([pixels for split, pixels in images.values() if split == "train"])[:, ::2, ::2] / 255
    statistics = said["statistics"]
    assert isinstance(statistics, dict)
    assert statistics["G"]["mean"] == pytest.approx(learned[..., 1].mean(), abs=1e-4)
    assert statistics["G"]["std"] == pytest.approx(learned[..., 1].std(), abs=1e-4)
    with Image.open(out / "samples.png") as samples:
        assert samples.width > 5 * 256


@pytest.mark.usefixtures("ray_here")
def test_the_same_call_does_nothing_and_another_is_refused(
    color_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "prepared"
    assert prepare("folder", color_dir, out, "--size", "24") == DONE
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    (out / "_chunks").mkdir()  # as a run leaves it that is ended at its very last step
    assert prepare("folder", color_dir, out, "--size", "24") == DONE
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == times
    capsys.readouterr()
    for arguments in (("--size", "32"), ("--size", "24", "--seed", "1"), ("--size", "24", "--crop", "pad")):
        assert prepare("folder", color_dir, out, *arguments) == USAGE
        assert "holds something else" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == times


@pytest.mark.usefixtures("ray_here")
def test_train_takes_its_very_pixels(cifar_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    assert prepare("cifar10", cifar_dir, out, "--gray", "average", "--color-space", "rgb") == DONE
    assert len(stored(out)) == 240
    small = [
        "--set=data.size=32",
        "--set=data.crop=32",
        "--set=data.inference_side=32",
        "--set=model.settings.widths=[8, 16]",
        "--set=model.settings.convolutions=[1, 1]",
        "--set=model.multiple=4",
        "--epochs=1",
        "--batch-size=32",
    ]
    assert status_of(train.command, ["unet-lab", str(out), str(tmp_path / "bundle"), *small]) == DONE
    learned = {id_: image for id_, (split, image) in stored(out).items() if split == "train"}
    loaded = {row["id"]: row for row in load_pairs(str(out), "test").take_all()}
    tested = {id_: image for id_, (split, image) in stored(out).items() if split == "test"}
    assert loaded.keys() == tested.keys()
    for id_, image in tested.items():
        inputs, targets = to_pair(image, "average", "rgb")
        np.testing.assert_allclose(loaded[id_]["input"], inputs, atol=1e-3)
        np.testing.assert_allclose(loaded[id_]["target"], targets, atol=1e-3)
    facts_of_training = load_bundle(str(tmp_path / "bundle")).training
    assert facts_of_training["images"]["train"] == len(learned)
    checksums = [zlib.crc32(image.tobytes()) for image in learned.values()]
    assert int(facts_of_training["fingerprint"], 16) == fingerprint(list(learned), checksums)


def test_what_is_wrong_is_said_in_one_line(color_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").touch()
    out = tmp_path / "new" / "prepared"
    for arguments, words in (
        (["folder", tmp_path / "nowhere", out], "no folder, .tar or .zip file"),
        (["folder", tmp_path / "empty", out], "0 photographs below"),
        (["cifar10", tmp_path / "empty", out], "data_batch_1"),
        (["cifar100", tmp_path / "nowhere", out], "no folder or .tar.gz file"),
        (["celeba", tmp_path / "empty", out], "list_eval_partition.txt"),
        (["paired", tmp_path / "empty", out], "gray_scale.npy"),
        (["parquet", tmp_path / "empty", out], "no .parquet file"),
        (["folder", color_dir, color_dir / "prepared"], "lies inside SOURCE"),
        (["folder", color_dir, tmp_path / "taken"], "holds something else"),
        (["imagenet", color_dir, out], "imagenet"),
        (["folder", color_dir, out, "--size", "2"], "--size"),
        (["folder", color_dir, out, "--val-fraction", "nan"], "--val-fraction"),
        (["folder", color_dir, out, "--min-chroma", "inf"], "--min-chroma"),
        (["folder", color_dir, out, "--val-fraction", "0.6", "--test-fraction", "0.6"], "--test-fraction"),
    ):
        assert prepare(*arguments) == USAGE, arguments
        printed = capsys.readouterr().err
        assert words in printed
        assert "Traceback" not in printed
    assert not out.parent.exists()
    assert not (color_dir / "prepared").exists()


@pytest.mark.usefixtures("ray_here")
def test_nothing_that_can_be_used_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "album").mkdir()
    for i in range(3):
        (tmp_path / "album" / f"{i}.jpg").write_text("no photograph")
    assert prepare("folder", tmp_path / "album", tmp_path / "out") == USAGE
    assert "no image that can be used, 3 were rejected: 0.jpg" in capsys.readouterr().err
    assert not (tmp_path / "out" / "dataset.json").exists()
    # Mended, the same call goes through: what failed has left nothing that is in its way.
    shutil.copy(Path(__file__).parent.parent.parent / "docs" / "before-after.png", tmp_path / "album" / "3.png")
    assert prepare("folder", tmp_path / "album", tmp_path / "out", "--size", "32") == DONE


@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize("job", ["prepare", "train"])
def test_a_chunk_that_cannot_be_read_is_named(
    job: str, cifar_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = shutil.copytree(cifar_dir, tmp_path / "cifar")
    (source / "data_batch_3").write_bytes((source / "data_batch_3").read_bytes()[:-500])
    if job == "prepare":
        assert prepare("cifar10", source, tmp_path / "out") == USAGE
    else:
        assert status_of(train.command, ["unet-lab", f"cifar10:{source}", str(tmp_path / "out")]) == USAGE
    [line] = capsys.readouterr().err.splitlines()
    assert f"{source}/data_batch_3 is not a CIFAR batch" in line
    assert not (tmp_path / "out" / "dataset.json").exists()


@pytest.mark.timeout(900)
def test_a_killed_run_goes_on_without_losing_or_repeating(
    photographs: dict[str, NDArray[np.uint8]], tmp_path: Path
) -> None:
    album = tmp_path / "album"
    album.mkdir()
    for i in range(1600):
        name, rgb = list(photographs.items())[i % 4]
        Image.fromarray(rgb[i % 100 :: 2, i % 90 :: 2]).save(album / f"{name}-{i:04d}.jpg")
    call = [sys.executable, "-m", "jobs.prepare", "folder", str(album), str(tmp_path / "out"), "--size", "64"]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    records = tmp_path / "out" / "_chunks"
    deadline = time.monotonic() + 600
    while len(list(records.glob("0*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "out" / "dataset.json").exists()
    done = {path: path.stat().st_mtime_ns for path in records.glob("0*.json")}
    shards = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/*.parquet")}
    assert len(done) < 7
    subprocess.run(call, check=True, capture_output=True)
    finished = {path.stem for path in done}
    proven = {path: changed for path, changed in shards.items() if path.name.split("-")[1] in finished}
    assert len(proven) >= len(finished) >= 2
    assert {path: path.stat().st_mtime_ns for path in proven} == proven  # what had its record was not made again
    assert stored(tmp_path / "out").keys() == {path.name for path in album.iterdir()}
    again = [*call[:5], str(tmp_path / "undisturbed"), *call[6:]]
    subprocess.run(again, check=True, capture_output=True)
    assert facts(tmp_path / "undisturbed")["fingerprint"] == facts(tmp_path / "out")["fingerprint"]
    for path in (tmp_path / "undisturbed").glob("*/*.parquet"):
        assert path.read_bytes() == (tmp_path / "out" / path.relative_to(tmp_path / "undisturbed")).read_bytes()


@pytest.mark.usefixtures("ray_here")
def test_what_kills_each_process_that_reads_it_ends_the_job(
    color_dir: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadly() -> Iterator[RowBatch]:
        os.kill(os.getpid(), signal.SIGKILL)
        yield RowBatch.good([], [], np.zeros((0, 8, 8, 3), np.uint8))

    monkeypatch.setattr(datasets, "plan", lambda data, rule: ReadPlan([deadly]))
    assert prepare("folder", color_dir, tmp_path / "out") == FAILED
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith("colorize: 3 processes died over chunk 0 of SOURCE: out of memory")


def test_interrupting_says_so(album: Path, tmp_path: Path) -> None:
    call = [sys.executable, "-m", "jobs.prepare", "folder", str(album), str(tmp_path / "out")]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_signals)
    deadline = time.monotonic() + 600
    while not (tmp_path / "out" / "_chunks" / "plan").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=900)
    assert process.returncode == INTERRUPTED
    assert printed.splitlines()[-1] == "colorize: interrupted"
    assert "Traceback" not in printed
