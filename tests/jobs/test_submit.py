"""Calls of ``colorize submit``, as far as they need no cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from colorize_core.recipes import load_recipe
from jobs import submit
from jobs.arguments import JOBS, files_of
from jobs.cli import group
from jobs.exits import DONE, FAILED, USAGE, status_of

REPO = Path(__file__).parents[2]
NOWHERE = ("--address", "http://127.0.0.1:9")
IN_OUT = ("/data/scans", "/data/out")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo"], "'demo' is not one of"),
        (["archive", "--name", "a b", *IN_OUT], "is not a valid name: use letters, digits, - and _"),
        (["archive", "--name", "n", "--every", "1w", *IN_OUT], "is not a period: write 15m, 1h or 1d"),
        (["archive", "--name", "n", "--every", "0h", *IN_OUT], "is not a period"),
        (
            ["archive", "--every", "1h", *IN_OUT],
            "--every sets the length of a schedule's slot: give the schedule a --name",
        ),
        (["archive", *IN_OUT, "--limits", "3"], "No such option '--limits'"),
        (["archive", "--", *IN_OUT, "--limit", "none"], "Invalid value for '--limit'"),
        (["archive", "/data/scans"], "Missing argument 'OUTPUT'"),
        (["archive", "scans", "/data/out"], "INPUT scans is relative, but it must be a path on the cluster's machines"),
        (["archive", "/data/scans", "out"], "OUTPUT out is relative"),
        (["archive", *IN_OUT, "--review", "worst.csv"], "--review worst.csv is relative"),
        (["train", "unet-lab", "folder:photographs", "/data/out"], "DATA folder:photographs is relative"),
        (["prepare", "folder", "photographs", "/data/out"], "SOURCE photographs is relative"),
        (["archive", *IN_OUT, "--model", "nowhere"], "nowhere does not exist here: a relative path names a file"),
        (["train", "unet-lap", *IN_OUT], "no recipe 'unet-lap'"),
        (["train", "nowhere.yaml", *IN_OUT], "recipe nowhere.yaml cannot be read"),
        (["archive", "s3://me:secret@bucket/a", "/data/out"], "password"),
    ],
)
def test_wrong_calls_are_said_before_anything_is_sent(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(submit.command, arguments) == USAGE
    [line] = capsys.readouterr().err.splitlines()
    assert words in line
    assert "secret" not in line


@pytest.mark.parametrize(
    "address", ["foo://x", "http://127.0.0.1:port", "http://127.0.0.1:99999", "ray://127.0.0.1:10001"]
)
def test_what_is_no_address_is_said(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(submit.command, ["archive", *IN_OUT, "--address", address]) == USAGE
    assert "is not the URL of a dashboard" in capsys.readouterr().err


@pytest.mark.parametrize("address", [NOWHERE[1], "127.0.0.1:9"])
def test_without_a_cluster_it_is_said_in_one_line(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(submit.command, ["archive", *IN_OUT, "--address", address]) == FAILED
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"colorize: the cluster at {address} cannot be reached")


def test_options_of_jobs_are_none_of_its_own() -> None:
    own = {option for each in submit.command.params if isinstance(each, click.Option) for option in each.opts}
    context = click.Context(group)
    for job in JOBS:
        command = group.get_command(context, job)
        assert command is not None
        assert not own & {option for each in command.params if isinstance(each, click.Option) for option in each.opts}


def test_files_of_the_caller_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = (Path(load_recipe.__code__.co_filename).parent / "unet-lite.yaml").read_text()
    weights = "encoder_weights: imagenet"
    assert weights in recipe
    Path("mine.yaml").write_text(recipe.replace(weights, "encoder_weights: mine.h5"))
    data = ("/data/prepared", "/data/model")
    assert files_of("archive", [*IN_OUT]) == []
    assert files_of("archive", [*IN_OUT, "--model=default"]) == []
    assert files_of("archive", [*IN_OUT, "--model=./a/b"]) == ["./a/b"]
    assert files_of("archive", ["--model", "mine", *IN_OUT]) == ["mine"]
    assert files_of("archive", [*IN_OUT, "--model", "s3://models/a"]) == []
    assert files_of("archive", [*IN_OUT, "--model", "/models/a"]) == []
    assert files_of("evaluate", ["a", "default", "b", "a", "/d", "/o", "--fid-weights=w.h5"]) == ["a", "b", "w.h5"]
    assert files_of("evaluate", ["a", "/d", "/o", "--fid-weights=imagenet"]) == ["a"]
    assert files_of("train", ["unet-lite", *data]) == []
    assert files_of("train", ["mine.yaml", *data]) == ["mine.yaml", "mine.h5"]
    assert files_of("train", ["unet-lab", *data, "--set", "model.start=older"]) == ["older"]
    assert files_of("tune", ["unet-lab", *data, "--space", "space.yaml"]) == ["space.yaml"]
    assert files_of("prepare", ["cifar10", "official", "/o"]) == []


def test_a_machine_that_lacks_what_colorize_needs_is_said_in_one_line(tmp_path: Path) -> None:
    for name in ("colorize_core", "jobs"):
        shutil.copytree(REPO / name, tmp_path / name, ignore=shutil.ignore_patterns("pretrained", "__pycache__"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    call = [sys.executable, "-S", "-m", "jobs.arrive", "archive", *IN_OUT]  # -S: without installed packages
    ended = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == FAILED
    [line] = ended.stderr.splitlines()
    assert line.startswith("colorize: the cluster's Python 3.")
    assert "lacks what colorize needs (No module named" in line


def test_a_job_that_has_arrived_is_the_job(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "jobs.arrive", "archive", str(tmp_path / "nowhere"), str(tmp_path / "out")]
    ended = subprocess.run(call, cwd=REPO, capture_output=True, text=True, check=False)
    assert ended.returncode == USAGE
    assert "does not exist: give a folder" in ended.stderr
    call = [sys.executable, "-m", "jobs.submit", "archive", "--", "--help"]
    ended = subprocess.run(call, cwd=REPO, capture_output=True, text=True, check=False)
    assert (ended.returncode, "--retry-failed" in ended.stdout) == (DONE, True)


def test_a_password_in_the_address_is_not_repeated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://ada:h1dden@127.0.0.1:9")
    assert status_of(submit.command, ["archive", *IN_OUT]) == USAGE
    [line] = capsys.readouterr().err.splitlines()
    assert "password" in line
    assert "h1dden" not in line
