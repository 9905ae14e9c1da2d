"""Training that is disturbed: it goes on from its last checkpoint, or says in one line why it cannot."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize_core import load_bundle
from colorize_core.training import checkpoints
from jobs.exits import DONE, FAILED, USAGE, status_of
from jobs.train import command
from tests.support.processes import marked
from tests.support.small_recipe import SETTINGS, as_arguments, read_history

EPOCHS = 6
# Random crops, mirroring and dropout: what their generators give must not depend on the disturbance. Nor may the mean
# of the weights, which goes over several epochs.
RANDOM = {
    **{"data.crop": 24, "data.min_scale": 0.75, "data.flip": True, "model.settings.dropout": 0.2},
    **{"training.average": 0.9, "training.loss": "psnr"},
}
ARGUMENTS = as_arguments(SETTINGS | RANDOM | {"training.epochs": EPOCHS, "training.batch_size": 32})


def assert_like(disturbed: Path, undisturbed: Path) -> None:
    rows, expected = read_history(disturbed), read_history(undisturbed)
    assert [row["epoch"] for row in rows] == [row["epoch"] for row in expected] == list(range(1, EPOCHS + 1))
    for name in ("loss", "val_loss", "learning_rate"):
        np.testing.assert_allclose([row[name] for row in rows], [row[name] for row in expected], rtol=1e-3)
    assert sorted(path.name for path in disturbed.iterdir()) == sorted(path.name for path in undisturbed.iterdir())
    load_bundle(str(disturbed)).model()


@pytest.fixture(scope="module")
def undisturbed(ray_here: None, cifar_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "bundle"
    assert status_of(command, ["unet-lab", f"cifar10:{cifar_dir}", str(out), *ARGUMENTS]) == DONE
    return out


def training_workers(mark: str) -> Iterator[int]:
    """Processes that train for a job with this mark in its environment."""
    return marked(mark, b"RayTrainWorker")


ONE_TOO_MANY = """
from colorize_core.training import workers
from jobs.exits import run
from jobs.train import command

workers._MAX_LOST_WORKERS = 0
run(command)
"""


def test_a_killed_worker_is_replaced(cifar_dir: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Also where more are lost than Ray Train is to replace, but epochs are done in between.

    One of two workers is lost, and replaced by Ray Train, in tests/cluster/test_nodes.py.
    """
    out, mark = tmp_path / "bundle", uuid.uuid4().hex
    call = [sys.executable, "-c", ONE_TOO_MANY, "unet-lab", f"cifar10:{cifar_dir}", str(out), *ARGUMENTS]
    environment = {**os.environ, "COLORIZE_TEST_MARK": mark}
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=environment) as job:
        assert job.stdout is not None
        while not job.stdout.readline().startswith("epoch 2/"):
            assert job.poll() is None
        [worker] = training_workers(mark)
        os.kill(worker, signal.SIGKILL)
        job.stdout.read()
    assert job.returncode == DONE
    assert_like(out, undisturbed)


@pytest.mark.usefixtures("ray_here")
def test_a_killed_driver_is_resumed_by_hand(
    cifar_dir: Path, undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    call = [sys.executable, "-m", "jobs.train", "unet-lab", f"cifar10:{cifar_dir}", str(out), *ARGUMENTS]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, start_new_session=True) as job:
        assert job.stdout is not None
        while not job.stdout.readline().startswith("epoch 2/"):
            assert job.poll() is None
        os.killpg(job.pid, signal.SIGKILL)
    kept = checkpoints.load_newest(str(out / "_training"))
    assert kept is not None
    assert 2 <= kept.epoch < EPOCHS
    assert not (out / "bundle.json").exists()

    for arguments, words in (
        ([], "was interrupted: continue it with --resume"),
        (["--resume", "--epochs=9"], "was written with another recipe or data set"),
    ):
        assert status_of(command, [*call[3:], *arguments]) == USAGE
        [line] = capsys.readouterr().err.splitlines()
        assert words in line
    assert status_of(command, [*call[3:], "--resume"]) == DONE
    assert_like(out, undisturbed)
    assert read_history(out)[: kept.epoch] == [vars(row) for row in kept.history]  # nothing was done again


@pytest.mark.usefixtures("ray_here")
def test_a_loss_that_is_no_number_ends_the_training(
    cifar_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    wild = ["--set=training.learning_rate=1e30", "--set=training.warmup=0", "--set=training.loss=mse"]
    assert status_of(command, ["unet-lab", f"cifar10:{cifar_dir}", str(out), *ARGUMENTS, *wild]) == FAILED
    [line] = capsys.readouterr().err.splitlines()
    assert "the loss is not a finite number in epoch" in line
    assert "lower training.learning_rate (1e+30)" in line
    assert not list(out.glob("*"))  # a checkpoint of it would be no place to go on from


@pytest.mark.usefixtures("ray_here")
def test_data_without_a_color_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gray").mkdir()
    rng = np.random.default_rng(0)
    for i in range(80):
        values = rng.integers(0, 256, (40, 40, 1), dtype=np.uint8)
        Image.fromarray(values.repeat(3, axis=2)).save(tmp_path / "gray" / f"{i}.png")
    out = tmp_path / "bundle"
    assert status_of(command, ["unet-lab", f"folder:{tmp_path}/gray", str(out), *ARGUMENTS]) == USAGE
    [line] = capsys.readouterr().err.splitlines()
    assert "no color image" in line
    assert not out.exists()


@pytest.mark.usefixtures("ray_here")
def test_patience_ends_a_training_that_gets_no_better(cifar_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    still = ["--set=training.learning_rate=1e-12", "--set=training.patience=2", "--set=training.schedule=constant"]
    assert status_of(command, ["unet-lab", f"cifar10:{cifar_dir}", str(out), *ARGUMENTS, *still]) == DONE
    rows = read_history(out)
    best = min(rows, key=lambda row: row["val_loss"])["epoch"]
    assert (len(rows), json.loads((out / "bundle.json").read_text())["training"]["best_epoch"]) == (best + 2, best)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a file system that is soon full")
@pytest.mark.usefixtures("ray_here")
def test_a_full_disk_is_said_and_the_training_goes_on_when_there_is_room(
    cifar_dir: Path, undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, room = tmp_path / "small", tmp_path / "room"
    small.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", small], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        pytest.skip("this container may not mount a file system")
    try:
        call = ["unet-lab", f"cifar10:{cifar_dir}", str(small / "bundle"), *ARGUMENTS]
        assert status_of(command, call) == FAILED
        [line] = capsys.readouterr().err.splitlines()
        assert "No space left on device" in line
        assert "--resume" in line
        shutil.copytree(small / "bundle", room, dirs_exist_ok=True)
    finally:
        subprocess.run(["umount", small], check=True)
    kept = checkpoints.load_newest(str(room / "_training"))
    assert kept is not None
    assert 1 <= kept.epoch < EPOCHS
    assert not (room / "bundle.json").exists()
    assert status_of(command, ["unet-lab", f"cifar10:{cifar_dir}", str(room), *ARGUMENTS, "--resume"]) == DONE
    assert_like(room, undisturbed)
