"""``colorize tune`` as a user calls it: trials on Ray Tune, the bundle of the best, and a search that was killed."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from colorize_core import load_bundle
from colorize_core.training import checkpoints
from jobs.exits import DONE, FAILED, USAGE, status_of
from jobs.tune import command
from tests.support.processes import marked

EPOCHS = 4
RECIPE = f"""
name: small
data: {{color_space: lab, size: 32, crop: 32, inference_side: 32}}
model: {{name: unet, multiple: 8, settings: {{widths: [8, 16, 16], convolutions: [1, 1, 1]}}}}
training: {{loss: mse, epochs: {EPOCHS}, batch_size: 32, learning_rate: 0.001}}
"""
SPACE = """
training.learning_rate: {min: 0.00001, max: 0.01, log: true}
training.loss: [mse, l1]
model.settings.widths: [[8, 16, 16], [16, 16, 16]]
training.batch_size: [16, 32]
"""
FILES = {
    *("MODEL_CARD.md", "bundle.json", "curves.png", "history.csv", "model.onnx", "samples.png", "weights.safetensors"),
    *("tensorboard", "trials.csv", "trials.png"),
}


@pytest.fixture(scope="module")
def call(cifar_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("search")
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "space.yaml").write_text(SPACE)
    data = [str(folder / "recipe.yaml"), f"cifar10:{cifar_dir}", str(folder / "out")]
    return [sys.executable, "-m", "jobs.tune", *data, "--trials=6", f"--space={folder / 'space.yaml'}"]


@pytest.mark.usefixtures("ray_here")
def test_a_killed_search_goes_on_and_leaves_the_best_trial(call: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out = Path(call[5])
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, start_new_session=True) as job:
        assert job.stdout is not None
        while "epoch 2/" not in job.stdout.readline():
            assert job.poll() is None
        os.killpg(job.pid, signal.SIGKILL)
    kept = {path.name: checkpoints.load_newest(str(path)) for path in (out / "_tuning").iterdir() if path.is_dir()}
    assert kept
    assert not (out / "bundle.json").exists()
    for options, words in (
        ([], "continue it with --resume"),
        (["--resume", "--trials=7"], "holds a search with another recipe"),
    ):
        assert status_of(command, [*call[3:], *options]) == USAGE
        assert words in capsys.readouterr().err

    status, printed, said = run_and_kill([*call, "--resume"], kills=1)
    assert (status, said) == (DONE, "")
    assert {path.name for path in out.iterdir()} == FILES
    rows = read_trials(out)
    assert sorted(row["trial"] for row in rows) == list("012345")
    errors = [float(row["val_mse"]) for row in rows]
    assert errors == sorted(errors)
    assert {int(row["epochs"]) for row in rows} <= set(range(1, EPOCHS + 1))
    assert min(int(row["epochs"]) for row in rows) < EPOCHS == max(int(row["epochs"]) for row in rows)
    assert {row["failure"] for row in rows} == {""}
    facts = json.loads((out / "bundle.json").read_text())
    assert facts["recipe"]["training"]["learning_rate"] == float(rows[0]["training.learning_rate"])
    assert facts["training"]["tuned"]["trials"] == 6
    assert f"6 trials of {facts['name']}" in printed
    load_bundle(str(out)).model()
    with open(out / "history.csv", newline="") as file:
        history = list(csv.DictReader(file))
    best = kept.get(f"{int(rows[0]['trial']):04d}")
    if best is not None:  # it had begun before the kill: those epochs were not done again
        assert [float(row["loss"]) for row in history[: best.epoch]] == [row.loss for row in best.history]
    assert min(float(row["val_mse"]) for row in history) == errors[0]


def read_trials(out: Path) -> list[dict[str, str]]:
    with open(out / "trials.csv", newline="") as file:
        return list(csv.DictReader(file))


def is_epoch(line: str) -> bool:
    return re.match(r"trial \d/6  epoch 1/1 ", line) is not None


@pytest.mark.usefixtures("ray_here")
def test_trials_that_cannot_be_trained_are_failed_and_the_best_of_the_rest_is_kept(
    call: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, data, _, *_ = call[3:]
    space, out = tmp_path / "space.yaml", tmp_path / "out"
    space.write_text("model.start: [none, nowhere]\nmodel.settings.widths: [[8, 16, 16], [8, none, 16]]")
    arguments = [recipe, data, str(out), f"--space={space}", "--trials=6", "--epochs=1"]
    assert status_of(command, arguments) == DONE
    rows = read_trials(out)
    good = [row["model.start"] == "none" and "none" not in row["model.settings.widths"] for row in rows]
    assert good == sorted(good, reverse=True)
    assert 0 < sum(good) < 6
    assert [row["failure"] == "" for row in rows] == [row["val_mse"] != "" for row in rows] == good
    reasons = " ".join(row["failure"] for row in rows)
    assert "no model bundle 'nowhere'" in reasons
    assert "model.settings of unet" in reasons
    printed = capsys.readouterr().out
    assert printed.count(" failed ") == 6 - sum(good)
    assert printed.index("6 trials of small") == sum(len(line) for line in printed.splitlines(True) if is_epoch(line))
    assert "none" not in json.loads((out / "bundle.json").read_text())["recipe"]["model"]["settings"]["widths"]

    space.write_text("model.settings.widths: [[8, none, 16]]")
    assert status_of(command, [*arguments, "--trials=2"]) == FAILED
    [line] = capsys.readouterr().err.splitlines()
    assert "none of the 2 trials could be trained; the first failed with: model.settings of unet" in line


def run_and_kill(call: list[str], kills: int) -> tuple[int, str, str]:
    """Exit status, output and errors of a search of which so many processes of trials were killed."""
    mark = uuid.uuid4().hex
    environment = {**os.environ, "COLORIZE_TEST_MARK": mark}
    killed: set[int] = set()
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as job:
        while job.poll() is None:
            for pid in set(marked(mark, b"ImplicitFunc.train")) - killed:
                if len(killed) < kills:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
            time.sleep(0.5)
        printed, said = job.communicate()
    assert len(killed) == kills
    return job.returncode, printed, said


def test_a_trial_that_is_killed_again_and_again_is_given_up(call: list[str], tmp_path: Path) -> None:
    status, _, said = run_and_kill([*call[:5], str(tmp_path / "out"), "--trials=1", call[-1]], kills=3)
    assert status == FAILED
    [line] = said.splitlines()
    assert "the trial could not be trained: 3 processes of this trial were killed" in line


@pytest.mark.usefixtures("ray_here")
def test_what_is_wrong_is_said_in_one_line(call: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, data, _, *_ = call[3:]
    space = tmp_path / "space.yaml"
    for content, words in (
        ("training.speed: [1]", "training.speed"),
        ("training.learning_rate: [-1]", "training.learning_rate"),
        ("data.size: [32, 64]", "changes what trials are compared on"),
    ):
        space.write_text(content)
        assert status_of(command, [recipe, data, str(tmp_path / "out"), f"--space={space}"]) == USAGE
        [line] = capsys.readouterr().err.splitlines()
        assert words in line
    assert not (tmp_path / "out").exists()
