"""``colorize image`` as a user calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from colorize_core.images.metadata.provenance import is_ours
from jobs.cli import group
from jobs.exits import DONE, TOO_MANY_FAILED, USAGE, status_of
from tests.support.archive_job import archive, lightness, load

LEVEL = 100 / 255  # one of 255 steps of lightness, in units of L


def image(*arguments: object) -> int:
    return status_of(group, ["image", *map(str, arguments)])


@pytest.fixture
def folder(archive_dir: Path) -> Path:
    return archive_dir


def test_a_result_lies_beside_its_photograph(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "astronaut.png").read_bytes()
    assert image(folder / "astronaut.png") == DONE
    result = folder / "astronaut.color.png"
    assert capsys.readouterr().out == f"{result}\n"
    assert load(result).size == (512, 512)
    assert np.abs(lightness(load(result)) - lightness(load(folder / "astronaut.png"))).max() <= LEVEL
    with result.open("rb") as file:
        assert is_ours(file)
    assert (folder / "astronaut.png").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [
        "album",
        "astronaut.color.png",
        "astronaut.png",
        "notes.txt",
    ]


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [("a.jpg", (), "JPEG"), ("a.webp", (), "WEBP"), ("a.tiff", (), "TIFF"), ("A.JPEG", ("--quality=50",), "JPEG")],
)
def test_the_name_of_the_result_says_its_format(folder: Path, name: str, options: tuple[str, ...], kind: str) -> None:
    assert image(folder / "astronaut.png", folder / name, *options) == DONE
    assert load(folder / name).size == (512, 512)
    with Image.open(folder / name) as made:
        assert made.format == kind


def test_it_has_the_bytes_of_an_archive(folder: Path, tmp_path: Path) -> None:
    assert archive(folder, tmp_path / "out", "--saturation", "1.5") == DONE
    assert image(folder / "astronaut.png", tmp_path / "one.png", "--saturation", "1.5") == DONE
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "out" / "astronaut.png").read_bytes()


def test_nothing_is_overwritten_without_force_and_photographs_never(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photograph, result = folder / "astronaut.png", folder / "astronaut.color.png"
    before = photograph.read_bytes()
    assert image(photograph) == DONE
    made = result.read_bytes()
    capsys.readouterr()
    assert image(photograph, "--saturation=2") == USAGE
    assert capsys.readouterr().err == (
        f"colorize: RESULT {result} exists: choose another name, or overwrite it with --force\n"
    )
    assert result.read_bytes() == made
    assert image(photograph, "--saturation=2", "--force") == DONE
    assert result.read_bytes() != made

    (tmp_path / "link").symlink_to(folder)
    other = folder / "album" / "chelsea.jpg"
    kept = other.read_bytes()
    for place, words in (
        (photograph, "is the photograph itself"),
        (tmp_path / "link" / "astronaut.png", "is the photograph itself"),
        (other, "is a photograph that colorize did not make"),
    ):
        capsys.readouterr()
        assert image(photograph, place, "--force") == USAGE
        assert words in capsys.readouterr().err
    assert (photograph.read_bytes(), other.read_bytes()) == (before, kept)
    (folder / "mine.png").write_bytes(b"no photograph")
    assert image(photograph, folder / "mine.png") == USAGE
    assert image(photograph, folder / "mine.png", "--force") == DONE
    assert load(folder / "mine.png").size == (512, 512)


def test_two_photographs_of_one_name_do_not_share_a_result(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.png", "a.jpg", "b.png"):
        Image.open(folder / "astronaut.png").crop((0, 0, 60, 40)).save(folder / name)
    assert image(folder / "a.png", folder / "a.jpg", folder / "b.png", "--force") == TOO_MANY_FAILED
    assert "a.color.png was written for another photograph just now" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_utf_8(folder: Path) -> None:
    name = os.fsencode(folder) + b"/caf\xe9.png"
    os.rename(folder / "astronaut.png", name)
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    call = [sys.executable, "-m", "jobs.image", name]
    ended = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (DONE, "")
    assert ended.stdout.endswith("caf\\xe9.color.png\n")
    assert subprocess.run(call, env=environment, capture_output=True, check=False).returncode == USAGE


def test_a_few_photographs_and_one_that_cannot_be_read(
    folder: Path, photographs: dict[str, NDArray[np.uint8]], capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    Image.fromarray(photographs["rocket"]).save(folder / "rocket.png")
    assert image(*(folder / name for name in ("astronaut.png", "broken.jpg", "rocket.png"))) == TOO_MANY_FAILED
    printed = capsys.readouterr()
    assert printed.out == f"{folder}/astronaut.color.png\n"
    first, second = printed.err.splitlines()
    assert first.startswith(f"colorize: {folder}/broken.jpg cannot be colorized: ")
    assert (
        second
        == f"colorize: {folder}/rocket.png cannot be colorized: is in color already: --recolor gives it new colors"
    )
    assert image(folder / "rocket.png", "--recolor", "--format", "jpeg") == DONE
    assert load(folder / "rocket.color.jpg").size == photographs["rocket"].shape[1::-1]


def test_pages_of_a_tiff_file_lie_side_by_side(folder: Path, gray_photographs: dict[str, NDArray[np.uint8]]) -> None:
    with tifffile.TiffWriter(folder / "pages.tif") as file:
        for name in ("coffee", "rocket"):
            file.write(gray_photographs[name])
    assert image(folder / "pages.tif") == DONE
    assert load(folder / "pages.color.png").size == gray_photographs["coffee"].shape[::-1]
    assert load(folder / "pages.color.page-2.png").size == gray_photographs["rocket"].shape[::-1]


def test_a_result_may_be_a_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert image(folder / "astronaut.png", tmp_path / "results") == DONE
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["astronaut.color.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.png"], "PHOTO nowhere.png does not exist"),
        (["album"], "PHOTO album cannot be read"),
        (["astronaut.png", "a.gif"], "RESULT a.gif does not end in"),
        (["astronaut.png", "a.png", "--format=jpeg"], "--format is jpeg, and RESULT is a.png: leave one of them out"),
        (["astronaut.png", "a.png", "--quality=50"], "--quality is for jpeg and webp: the format is png"),
        (["astronaut.png", "--model=nobody"], "no model bundle 'nobody'"),
        (["astronaut.png", "nowhere/a.png", "--saturation=-1"], "Or write faithful or vivid."),
        (["astronaut.png", "notes.txt/a.png"], "RESULT notes.txt/a.png cannot be written"),
        (["notes.txt"], "notes.txt cannot be colorized"),
        ([], "Missing argument"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str],
    words: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    assert image(*arguments) == USAGE
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("colorize: ")
    assert words in line
    assert sorted(folder.rglob("*")) == before
