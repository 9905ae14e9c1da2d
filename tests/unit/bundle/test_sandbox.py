"""Tests each way in which the process that opens a bundle's files may end, and reads pictures of bundles."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core import bundle, load_bundle
from colorize_core.bundle import sandbox
from tests.unit.bundle.forgery import good_weights, refusal

READ = "import sys; sys.stdin.buffer.read(); "
SAY = 'print(\'{"file": "model.onnx"}\', flush=True); '


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.abort()", r"weights.safetensors of .* ends the process that opens it \(status -6\)"),
        (
            SAY + "import os; os.kill(os.getpid(), 11)",
            r"model.onnx of .* ends the process that opens it \(status -11\)",
        ),
        (READ + SAY + "import os; os.kill(os.getpid(), 9)", r"model.onnx of .* ends the process .*status -9"),
        (READ + SAY + "import time; time.sleep(99)", "model.onnx of .* takes more than 3 seconds of CPU time"),
        (SAY + "import time; time.sleep(99)", "model.onnx of .* takes more than 3 seconds of CPU time"),
        (
            READ + SAY + "import signal, os; os.kill(os.getpid(), signal.SIGXCPU)",
            "takes more than 3 seconds of CPU time",
        ),
        (
            READ + "print('{', flush=True); raise SystemExit(3)",
            r"weights.safetensors of .* ends .*status 3",
        ),
    ],
)
def test_a_process_that_does_not_answer(
    code: str, words: str, forge: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_START", code)
    monkeypatch.setattr(sandbox, "_WALL_CLOCK_FACTOR", 0.3)
    # More than a pipe holds, so that a child blocks if nothing reads its output.
    folder = forge(weights=bytes(1 << 20))
    message = refusal(folder)
    assert re.search(words, message), message


def test_a_process_that_cannot_start(forge: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert "cannot be examined, because no process can be started: [Errno 2]" in refusal(forge())


def test_files_of_shipped_bundles_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are part of colorize, as its code is. Without the sandbox they load in a tenth of the time."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert load_bundle("default").onnx


def test_no_code_in_the_working_folder_runs(
    forge: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working folder can be a bundle's folder with Python files from a stranger."""
    folder = forge()
    for name in ("json", "h5py", "numpy", "onnx", "sitecustomize", "usercustomize"):
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert load_bundle(".").weights == good_weights()
    assert not (tmp_path / "ran").exists()


def test_curves_are_a_picture_or_none(copy: Path) -> None:
    path = copy / "curves.png"
    assert bundle.read_curves(str(copy)) == path.read_bytes()
    path.write_bytes(b"<script>")
    assert bundle.read_curves(str(copy)) is None
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(1 << 40)
    assert bundle.read_curves(str(copy)) is None
    path.unlink()
    assert bundle.read_curves(str(copy)) is None
