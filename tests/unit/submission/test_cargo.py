"""What is sent to a cluster: exactly the code and the files that a job needs."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

import colorize_core
import jobs
from colorize_core.errors import InputError
from colorize_core.submission import cargo

PACKAGES = [Path(package.__path__[0]) for package in (colorize_core, jobs)]
BUNDLE = PACKAGES[0] / "pretrained" / "default"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bundle, a recipe, and much else, that is the current one."""
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    shutil.copytree(BUNDLE, folder / "models" / "mine")
    (folder / "models" / "mine" / "tensorboard").mkdir()
    (folder / "models" / "mine" / "tensorboard" / "events").write_bytes(b"log")
    for name in ("recipe.yaml", ".git/config", "data/a.jpg", ".venv/bin/python"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"content")
    monkeypatch.chdir(folder)
    return folder


def names(packages: list[Path], files: list[str], folder: Path) -> set[str]:
    packed = cargo.pack(cargo.choose(packages, files), folder)
    assert packed is not None
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        return set(archive.namelist())


def test_the_code_is_sent_whole_and_nothing_else(here: Path, tmp_path: Path) -> None:
    sent = names(PACKAGES, [], tmp_path)
    assert {
        "colorize_core/__init__.py",
        "colorize_core/pretrained/default/weights.safetensors",
        "jobs/arrive.py",
    } <= sent
    assert {name.split("/")[0] for name in sent} == {"colorize_core", "jobs"}
    assert not [name for name in sent if "__pycache__" in name or name.endswith(".pyc")]
    everything = {path for package in PACKAGES for path in package.rglob("*.py")}
    assert len([name for name in sent if name.endswith(".py")]) == len(everything)


def test_files_keep_their_paths_and_bundles_come_without_their_logs(here: Path, tmp_path: Path) -> None:
    sent = names([], ["recipe.yaml", "./models/../models/mine/"], tmp_path)
    assert sent == {"recipe.yaml", *(f"models/mine/{path.name}" for path in BUNDLE.iterdir())}


def test_the_same_content_makes_the_same_bytes(here: Path, tmp_path: Path) -> None:
    def content(folder: str) -> bytes:
        (tmp_path / folder).mkdir()
        packed = cargo.pack(cargo.choose([PACKAGES[1]], ["recipe.yaml"]), tmp_path / folder)
        assert packed is not None
        return packed.read_bytes()

    first = content("a")
    (here / "recipe.yaml").touch()
    assert content("b") == first
    (here / "recipe.yaml").write_bytes(b"other")
    assert content("c") != first


def test_nothing_is_nothing(tmp_path: Path) -> None:
    assert cargo.pack(cargo.choose([], []), tmp_path) is None


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("nowhere.yaml", "nowhere.yaml does not exist here: a relative path names a file"),
        ("../other.yaml", "../other.yaml lies outside of the current folder"),
        ("data", "data is a folder without bundle.json"),
        ("jobs/recipe.yaml", "jobs/recipe.yaml has the same name as a folder of colorize's code"),
    ],
)
def test_what_cannot_be_sent_is_said(here: Path, tmp_path: Path, file: str, words: str) -> None:
    (tmp_path / "other.yaml").touch()
    (here / "jobs").mkdir()
    (here / "jobs" / "recipe.yaml").touch()
    with pytest.raises(InputError, match=words):
        cargo.choose(PACKAGES, [file])


def test_a_file_of_the_code_itself_is_no_clash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PACKAGES[0].parent)
    assert names(PACKAGES, ["colorize_core/recipes/unet-lab.yaml"], tmp_path) == names(PACKAGES, [], tmp_path)


def test_more_than_ray_takes_is_refused(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cargo, "_LARGEST", 1 << 20)
    with pytest.raises(
        InputError, match=r"take \d+ MiB, and Ray accepts 1: put bundles and weights into object storage"
    ):
        cargo.pack(cargo.choose(PACKAGES, []), tmp_path)


@pytest.mark.parametrize(
    ("path", "is_callers"),
    [("a.yaml", True), ("./a", True), ("/a", False), ("~/a", False), ("s3://b/a", False), ("", False)],
)
def test_relative_paths_are_the_callers(path: str, is_callers: bool) -> None:
    assert cargo.is_callers(path) is is_callers
