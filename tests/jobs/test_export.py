"""``colorize export`` as a user calls it, with the shipped model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from colorize_core import bundle, load_bundle
from jobs.cli import group
from jobs.exits import USAGE, status_of
from tests.support.format_1 import write_format_1

DEFAULT = Path(bundle.place("default"))


def export(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: what TensorFlow and the converters print is part of the test."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    command = [sys.executable, "-m", "jobs.export", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_onnx_colors_as_keras_does_and_nothing_else_is_on_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "new" / "colorizer.onnx"
    done = export("default", str(path))
    facts = json.loads(Path(f"{path}.json").read_text())
    assert (done.returncode, done.stderr) == (0, "")
    first, *others = done.stdout.splitlines()
    assert first.startswith(f"unet-lite2 {facts['digest'][:12]} as onnx: ")
    assert f"differs from Keras by at most {facts['compared']['max_abs_difference']:.1e} (compared when" in first
    assert others == [f"model: {path}", f"how to use it: {path}.json"]
    assert sorted(file.name for file in path.parent.iterdir()) == ["colorizer.onnx", "colorizer.onnx.json"]

    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = np.random.default_rng(3).uniform(-1, 1, (2, 64, 96, 1)).astype(np.float32)
    [outputs] = session.run(None, {facts["input"]["name"]: inputs})
    expected = np.asarray(load_bundle("default").model()(inputs, training=False))
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-4)


def test_savedmodel_is_quiet_and_serves(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = export("default", str(tmp_path / "empty"), "--format", "savedmodel")
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 3)

    import tensorflow as tf

    inputs = np.random.default_rng(3).uniform(-1, 1, (2, 64, 96, 1)).astype(np.float32)
    restored = tf.saved_model.load(str(tmp_path / "empty"))  # its functions work as long as it lives
    outputs = np.asarray(restored.serve(inputs))
    expected = np.asarray(load_bundle("default").model()(inputs, training=False))
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-4)


def test_a_bundle_of_format_1_becomes_one_of_format_2(tmp_path: Path) -> None:
    original = load_bundle("fast")
    old = write_format_1(original, "fast", tmp_path / "old")
    (tmp_path / "old" / "MODEL_CARD.md").write_text("# written by hand\n")
    assert load_bundle(str(tmp_path / "old")) == old
    done = export(str(tmp_path / "old"), str(tmp_path / "new"), "--format", "bundle")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == [f"bundle: {tmp_path / 'new'}"]
    names = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert sorted(names) == ["MODEL_CARD.md", "bundle.json", "model.onnx", "weights.safetensors"]
    assert names["MODEL_CARD.md"] == b"# written by hand\n"
    new = load_bundle(str(tmp_path / "new"))
    assert (new.digest, new.weights) == (original.digest, original.weights)  # these weights are rounded already
    assert new.converted["max_abs_difference"] <= 1e-4


def one_line_of(capsys: pytest.CaptureFixture[str]) -> str:
    screen = capsys.readouterr()
    assert screen.out == ""
    [line] = screen.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-bundle", "out"], "no model bundle 'no-such-bundle': choose from default"),
        (["default", "taken"], "OUTPUT taken (or the .json file beside it) exists already"),
        (["default", "out.onnx", "--format", "savedmodel"], "OUTPUT out.onnx ends in .onnx, but format savedmodel"),
        (["default", "out", "--format", "tflite"], "'tflite' is not one of 'onnx', 'savedmodel'"),
        (["default", "s3://key:secret@bucket/out"], "holds a key, password or signature"),
        (["damaged", "out"], "weights.safetensors of damaged is not the file that its bundle.json describes"),
        (["default"], "Missing argument 'OUTPUT'"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "photograph.png").touch()
    shutil.copytree(DEFAULT, tmp_path / "damaged")
    with (tmp_path / "damaged" / "weights.safetensors").open("ab") as file:
        file.write(b"more")
    before = sorted(tmp_path.rglob("*"))
    assert status_of(group, ["export", *arguments]) == USAGE
    line = one_line_of(capsys)
    assert line.startswith("colorize: ")
    assert words in line
    assert sorted(tmp_path.rglob("*")) == before
