"""``colorize train`` as a user calls it: Ray Data feeds 1..N Ray Train workers, a bundle comes out."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from colorize_core import Colorizer, load_bundle
from colorize_core.evaluation import metrics
from colorize_core.recipes.network import build_model
from jobs import archive
from jobs.exits import DONE, INTERRUPTED, USAGE, status_of
from jobs.train import command
from tests.support.processes import hear_signals
from tests.support.small_recipe import SETTINGS, as_arguments, read_history

FILES = [
    *("MODEL_CARD.md", "bundle.json", "curves.png", "history.csv", "model.onnx", "samples.png", "tensorboard"),
    "weights.safetensors",
]
SMALL = as_arguments(SETTINGS)


def train(*arguments: str | os.PathLike[str]) -> int:
    return status_of(command, [*map(os.fspath, arguments), *SMALL])


@pytest.mark.usefixtures("ray_here")
def test_folder_to_bundle_to_colors(color_dir: Path, archive_dir: Path, tmp_path: Path) -> None:
    (color_dir / "broken.jpg").write_bytes(b"not a photograph")
    bundle = tmp_path / "bundle"
    assert train("unet-lab", f"folder:{color_dir}", bundle, "--epochs=3", "--batch-size=16", "--note=Made up.") == DONE
    assert sorted(path.name for path in bundle.iterdir()) == FILES
    facts = json.loads((bundle / "bundle.json").read_text())
    assert facts["training"]["epochs"] == 3
    assert facts["training"]["images"]["train"] + facts["training"]["images"]["val"] + facts["metrics"]["images"] == 160
    assert facts["recipe"]["data"]["size"] == 32
    history = read_history(bundle)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert history[-1]["loss"] < history[0]["loss"]
    best = min(history, key=lambda row: row["val_loss"])
    has_vivid = best["vivid_gain"] <= 2 and best["vivid_over_gray"] > 0
    assert facts["saturation"] == {"faithful": 1.0} | ({"vivid": best["vivid_gain"]} if has_vivid else {})
    assert facts["doubt"] is None  # the network has no odds
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "gray copy" in card
    assert "Made up." in card
    with Image.open(bundle / "samples.png") as samples:
        assert samples.width > samples.height / 8

    rows = facts["metrics"]["tables"]["full"]
    loaded = load_bundle(str(bundle))
    assert loaded.digest == facts["digest"]
    names = [f"unet-lab {name}" for name in facts["saturation"]]
    assert list(rows) == ["gray copy", "mean chroma", *names]
    assert rows["unet-lab faithful"]["psnr"]["mean"] > rows["gray copy"]["psnr"]["mean"]

    assert status_of(archive.command, [str(archive_dir), str(tmp_path / "out"), "--model", str(bundle)]) == DONE
    with Image.open(tmp_path / "out" / "astronaut.png") as result, Image.open(archive_dir / "astronaut.png") as gray:
        expected = np.asarray(Colorizer(loaded).colorize(np.asarray(gray))).astype(int)
        assert np.abs(np.asarray(result) - expected).max() <= 1  # ab travels between the stages as float16


# The 194 training images are one global batch, so that their order does not matter.
ONE_BATCH = ("--epochs=4", "--batch-size=194")


@pytest.fixture(scope="module")
def alone(ray_here: None, cifar_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that one worker made."""
    bundle = tmp_path_factory.mktemp("alone") / "bundle"
    assert train("unet-lab", f"cifar10:{cifar_dir}", bundle, *ONE_BATCH) == DONE
    return bundle


def test_cifar_to_bundle(cifar_dir: Path, alone: Path) -> None:
    assert sorted(path.name for path in alone.iterdir()) == FILES
    facts = json.loads((alone / "bundle.json").read_text())
    images = facts["training"]["images"]
    assert images["train"] + images["val"] == 200
    assert facts["metrics"]["images"] == 40  # the official test batch, whole

    with open(cifar_dir / "test_batch", "rb") as file:
        test = pickle.load(file)[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # noqa: S301 - written above
    colorizer = Colorizer(load_bundle(str(alone)))
    grays = [np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).convert("L")) for rgb in test]
    psnr = [metrics.psnr(rgb, np.asarray(colorizer.colorize(gray))) for rgb, gray in zip(test, grays, strict=True)]
    rows = facts["metrics"]["tables"]["full"]
    assert np.mean(psnr) == pytest.approx(rows["unet-lab faithful"]["psnr"]["mean"], abs=0.02)


def test_two_workers_learn_what_one_does(cifar_dir: Path, alone: Path, tmp_path: Path) -> None:
    assert train("unet-lab", f"cifar10:{cifar_dir}", tmp_path / "two", *ONE_BATCH, "--num-workers=2") == DONE
    curves = [[(row["loss"], row["val_loss"]) for row in read_history(bundle)] for bundle in (alone, tmp_path / "two")]
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-3)
    assert curves[0][-1][0] < curves[0][0][0]


WITNESS = """
import sys

class Witness:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow.python":  # which the package imports when it is imported, and nothing looks for before
            with open("/proc/self/cmdline") as title, open({log!r}, "a") as log:
                log.write(title.read().replace(chr(0), " ").strip() + chr(10))

sys.meta_path.insert(0, Witness())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the names of processes in /proc")
def test_nothing_but_the_workers_imports_tensorflow(cifar_dir: Path, tmp_path: Path) -> None:
    """Each process of the job runs a sitecustomize that writes its name down when it imports TensorFlow."""
    log, out = tmp_path / "importers", tmp_path / "bundle"
    log.touch()
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(WITNESS.format(log=str(log)))
    places = [str(tmp_path / "hook"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    subprocess.run([sys.executable, "-c", "import tensorflow"], env=environment, check=True, capture_output=True)
    [witnessed] = log.read_text().splitlines()
    assert witnessed.endswith("import tensorflow")
    log.write_text("")
    call = [sys.executable, "-m", "jobs.train", "unet-lab", f"cifar10:{cifar_dir}", str(out), "--epochs=1"]
    subprocess.run([*call, "--num-workers=2", "--batch-size=32", *SMALL], env=environment, check=True)
    assert (out / "model.onnx").exists()
    assert [name.partition(".")[0] for name in log.read_text().splitlines()] == ["ray::RayTrainWorker"] * 2


@pytest.mark.usefixtures("ray_here")
def test_one_step_of_two_workers_leaves_the_weights_of_one(cifar_dir: Path, tmp_path: Path) -> None:
    """With batch norm, whose statistics are those of the global batch.

    The rate is small since Adam divides a gradient by its own size: of one near zero the rounding alone is a step of
    some percent of the rate.
    """
    options = ["--epochs=1", "--batch-size=194", "--set=data.flip=false", "--set=model.settings.widths=[8, 16]"]
    options.append("--set=training.learning_rate=0.0001")
    weights = []
    for workers in (1, 2):
        bundle = tmp_path / f"workers-{workers}"
        call = ["cifar10-conv", f"cifar10:{cifar_dir}", str(bundle), *options, f"--num-workers={workers}"]
        assert status_of(command, call) == DONE
        weights.append(load_bundle(str(bundle)).model().get_weights())
    keras.utils.set_random_seed(0)  # the recipe's: where both began
    before = build_model(load_bundle(str(bundle)).recipe).get_weights()
    assert max(np.abs(after - old).max() for after, old in zip(weights[0], before, strict=True)) > 5e-5
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5, rtol=0)


def test_what_is_wrong_is_said_in_one_line(color_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = f"folder:{color_dir}"
    out = tmp_path / "bundle"
    for arguments, words in (
        (["no-such-recipe", good, out], "no recipe 'no-such-recipe': choose from celeba-conv, "),
        (["unet-lab", "imagenet:/x", out], "DATASET is one of celeba, cifar10, cifar100, folder, paired, parquet"),
        (["unet-lab", good, out, "--set", "training.epoch=2"], "training.epoch"),
        (["unet-lab", good, out, "--set", "training.loss=l3"], "training.loss"),
        (["unet-lab", good, out, "--set", "nonsense"], "section.key=value"),
        (["unet-lab", good, out, "--batch-size=5", "--num-workers=2"], "does not divide over 2 workers"),
    ):
        assert train(*arguments) == USAGE, arguments
        printed = capsys.readouterr().err
        assert words in printed
        assert "Traceback" not in printed
    assert not out.exists()


@pytest.mark.usefixtures("ray_here")
def test_what_cannot_be_trained_is_said_before_anything_is_written(
    color_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unreadable = tmp_path / "unreadable"
    unreadable.mkdir()
    for i in range(100):
        (unreadable / f"{i}.jpg").write_text("not a photograph")
    good, out, taken = f"folder:{color_dir}", tmp_path / "new" / "bundle", tmp_path / "taken"
    taken.mkdir()
    (taken / "samples.png").write_text("mine")
    for arguments, words in (
        (["unet-lab", good, color_dir / "bundle"], "lies inside DATA"),
        (["unet-lab", f"folder:{unreadable}", out], "split test of DATA has no color image that can be read"),
        (["unet-lab", good, out, "--set=model.settings.depth=3"], "model.settings of unet"),
        (["unet-lab", good, out, "--set=model.settings.batch_norm=no thanks"], "batch_norm is 'no thanks'"),
        (
            ["unet-lab", good, out, "--set=data.crop=28", "--set=model.multiple=4"],
            "returns 8 x 8 x 2 for images of 12 x 12",
        ),
        (["unet-lab", good, out, "--set=model.multiple=2"], "of 2 x 2"),
        (["unet-lab", good, taken], "did not make"),
        (["unet-lab", good, out, "--batch-size=500"], "need at least 500 (training.batch_size)"),
    ):
        assert status_of(command, [*map(os.fspath, arguments[:3]), *SMALL, *arguments[3:]]) == USAGE, arguments
        printed = capsys.readouterr().err
        assert words in printed
        assert len(printed.splitlines()) == 1
    assert not out.parent.exists()
    assert not (color_dir / "bundle").exists()
    assert [path.name for path in taken.iterdir()] == ["samples.png"]


def test_interrupted_it_says_so_and_keeps_the_checkpoint(color_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    call = [sys.executable, "-m", "jobs.train", "unet-lab", f"folder:{color_dir}", str(out), "--epochs=500"]
    with subprocess.Popen(
        [*call, "--batch-size=16", *SMALL],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_signals,
    ) as job:
        assert job.stdout is not None
        assert "epoch 1/500" in job.stdout.readline()
        job.send_signal(signal.SIGINT)
        _, printed = job.communicate(timeout=900)
    assert job.returncode == INTERRUPTED
    assert printed.splitlines()[-1] == "colorize: interrupted"
    assert "Traceback" not in printed
    assert [path.name for path in out.iterdir()] == ["_training"]


@pytest.mark.usefixtures("ray_here")
def test_data_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for data, words in (
        (f"folder:{tmp_path}/nowhere", "no folder, .tar or .zip file"),
        (f"folder:{tmp_path}/empty", "0 photographs below"),
        (f"cifar10:{tmp_path}/empty", "data_batch_1"),
    ):
        assert train("unet-lab", data, tmp_path / "bundle") == USAGE
        assert words in capsys.readouterr().err
    assert not (tmp_path / "bundle" / "bundle.json").exists()
