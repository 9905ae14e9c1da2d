"""Every command that README shows runs as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.cli import group
from jobs.exits import DONE, status_of

REPO = Path(__file__).parents[2]
README = (REPO / "README.md").read_text()
LINES = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
# These are run by tests/cluster/test_submit.py, on ports and with a token of its own.
ON_A_CLUSTER = ("export RAY_AUTH_MODE=token", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 ray start", "colorize submit ")
# And these by tests/jobs/test_s3.py, against a server of its own.
ON_S3 = ("export AWS_ENDPOINT_URL=", "colorize prepare folder s3://", "colorize archive s3://")
# Trainings of other data than the first: they are in the second tier of the tests.
OTHER_TRAININGS = (
    "colorize train unet-lab prepared ",
    "colorize train unet-lab cifar10:",
    "colorize train cifar10-dense ",
)


def is_local(line: str) -> bool:
    """Whether it is a job on this machine alone."""
    return line.startswith("colorize ") and not line.startswith((*ON_A_CLUSTER, *ON_S3))


@pytest.fixture
def _folder(
    archive_dir: Path, color_dir: Path, cifar_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A working folder with everything that the commands read."""
    shutil.copy(archive_dir / "astronaut.png", archive_dir / "astronaut.jpg")
    shutil.copy(archive_dir / "astronaut.png", tmp_path / "photo.jpg")
    (tmp_path / "photographs").mkdir()
    for path in sorted(color_dir.iterdir())[::2]:
        shutil.copy(path, tmp_path / "photographs")
    shutil.copytree(cifar_dir, tmp_path / "cifar-10-batches-py")
    shutil.copytree(archive_dir / "album", tmp_path / "landscapes" / "gray")
    shutil.copytree(archive_dir / "album", tmp_path / "landscapes" / "color")
    shutil.make_archive(str(tmp_path / "box"), "zip", archive_dir / "album")
    monkeypatch.chdir(tmp_path)


def run(lines: list[str]) -> None:
    for line in lines:
        assert status_of(group, shlex.split(line)[1:]) == DONE, line


@pytest.mark.usefixtures("ray_here", "_folder")
def test_colorize(tmp_path: Path) -> None:
    lines = [line for line in LINES if is_local(line) and not line.startswith(OTHER_TRAININGS)]
    assert len(lines) == 19
    run(lines)
    for path in (
        "photo.color.png",
        "colored.jpg",
        "colored/album/chelsea.png",
        "colored/_report/index.html",
        "colored-jpeg/astronaut.jpg",
        "masters/astronaut.tif",
        "my-model/MODEL_CARD.md",
        "colorizer.onnx.json",
        "my-savedmodel/saved_model.pb",
        "pairs/samples.png",
        "tuned-model/trials.csv",
        "report/report.html",
        "comparison/metrics.csv",
    ):
        assert (tmp_path / path).is_file()
    assert list((tmp_path / "shards").glob("*.parquet"))
    assert list((tmp_path / "boxed").glob("*.tar"))


@pytest.mark.usefixtures("ray_here", "_folder")
def test_other_trainings(tmp_path: Path) -> None:
    trainings = [line for line in LINES if line.startswith(OTHER_TRAININGS)]
    assert len(trainings) == 3
    run([line for line in LINES if line.startswith("colorize prepare folder photographs ")])
    run(trainings)
    for model in ("prepared-model", "cifar-model", "dense-model"):
        assert (tmp_path / model / "weights.safetensors").is_file()


@pytest.mark.usefixtures("archive_dir")
def test_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    from skimage import data

    monkeypatch.chdir(tmp_path)
    names = {"pixels": data.camera()}
    exec(code, names)  # noqa: S102 - it is README's own
    assert names["image"].size == (512, 512)
    assert (names["summary"].ok, names["summary"].failed) == (3, 0)


def test_make_and_ray() -> None:
    others = [line for line in LINES if not is_local(line)]
    targets = re.findall(r"^(\w+):", (REPO / "Makefile").read_text(), re.MULTILINE)
    for line in others:
        if line.startswith("make "):
            assert line.split()[1] in targets  # .ci/run makes them, the demo with photographs of its own too
        else:
            assert line.startswith((*ON_A_CLUSTER, *ON_S3, "ray get-auth-token")), line


def test_token(tmp_path: Path) -> None:
    [line] = [line for line in LINES if line.startswith("ray get-auth-token")]
    environment = {**os.environ, "HOME": str(tmp_path), "RAY_AUTH_MODE": "token"}
    environment.pop("RAY_AUTH_TOKEN", None)
    ray = str(Path(sys.executable).with_name("ray"))
    subprocess.run([ray, *shlex.split(line)[1:]], env=environment, check=True, capture_output=True)
    assert len((tmp_path / ".ray" / "auth_token").read_text().strip()) >= 32


def test_links_and_pictures_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (REPO / target).is_file(), target
