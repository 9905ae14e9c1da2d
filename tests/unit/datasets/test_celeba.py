"""CelebA: damage in its tables is reported before a row is read, and no image is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from colorize_core import datasets
from colorize_core.datasets.rows import NO_LABEL
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError

Refusal = Callable[[str], str]
PARTITION, ATTRIBUTES, IDENTITY = "list_eval_partition.txt", "list_attr_celeba.txt", "identity_CelebA.txt"
TABLES = [IDENTITY, ATTRIBUTES, "list_bbox_celeba.txt", "list_landmarks_align_celeba.txt"]


@pytest.fixture
def celeba(tmp_path: Path, make: Callable[[str, Path], Any]) -> Path:
    make("celeba-folder", tmp_path / "celeba")
    return tmp_path / "celeba"


def _rows(celeba: Path) -> list[Any]:
    return [rows for chunk in datasets.plan(f"celeba:{celeba}", SplitRule()).chunks for rows in chunk()]


@pytest.mark.parametrize("gone", [[], *([table] for table in TABLES), TABLES])
def test_labels_are_those_of_the_tables_that_are_there(celeba: Path, gone: list[str]) -> None:
    labels = {
        IDENTITY: {"identity"},
        ATTRIBUTES: {"Smiling", "Young"},
        "list_bbox_celeba.txt": {"bbox_x_1", "bbox_width"},
        "list_landmarks_align_celeba.txt": {"nose_x", "nose_y"},
    }
    for table in gone:
        (celeba / table).unlink()
    expected = {name for table in TABLES if table not in gone for name in labels[table]}
    assert {frozenset(rows.labels) for rows in _rows(celeba)} == {frozenset(expected)}


def test_an_image_that_a_table_does_not_name_has_no_label(celeba: Path) -> None:
    path = celeba / IDENTITY
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    identity = {
        name: value for rows in _rows(celeba) for name, value in zip(rows.id, rows.labels["identity"], strict=True)
    }
    assert (identity["000001.jpg"], identity["000002.jpg"]) == (NO_LABEL, 1)


@pytest.mark.parametrize("gone", [PARTITION, "img_align_celeba"])
def test_what_is_needed_and_not_there_is_named(celeba: Path, refusal: Refusal, gone: str) -> None:
    path = celeba / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert f"no {gone}" in refusal(f"celeba:{celeba}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"000001.jpg 3\n", "no split 0, 1 or 2 for '000001.jpg'"),
        (b"000001.jpg 0\n000002.jpg train\n", "no split 0, 1 or 2 for '000002.jpg'"),
        (b"000001.jpg 0 1\n", "no split 0, 1 or 2 for '000001.jpg'"),
        (b"000001.jpg\n", "no split 0, 1 or 2 for '000001.jpg'"),
        (b"000001.jpg 0\n000002.jpg", "line 2: nothing follows '000002.jpg'"),
        (b"<!DOCTYPE html>\n<html><body>404", "no split 0, 1 or 2 for '<!DOCTYPE'"),
        (bytes(range(256)) * 9, "is not a text file"),
        (bytes(9999), r"'\x00\x00"),
        (b"x" * 9999, "'xxx"),
        (b"", "none of the images"),
        (b"unknown.jpg 0\n", "none of the images that list_eval_partition.txt names for train, val, test"),
    ],
)
def test_a_damaged_partition_is_refused(celeba: Path, refusal: Refusal, content: bytes, says: str) -> None:
    (celeba / PARTITION).write_bytes(content)
    assert says in refusal(f"celeba:{celeba}")


def test_a_wanted_split_of_which_no_image_is_there_is_refused_by_its_name(celeba: Path) -> None:
    (celeba / PARTITION).write_text("000001.jpg 0\n")
    assert datasets.plan(f"celeba:{celeba}", SplitRule(wanted=["train"])).chunks
    with pytest.raises(InputError, match=r"names for val is in .+/celeba: fetch it again"):
        datasets.plan(f"celeba:{celeba}", SplitRule(wanted=["val"]))


def test_only_the_missing_images_of_wanted_splits_are_rejects(celeba: Path) -> None:
    (celeba / PARTITION).write_text("000001.jpg 0\n000002.jpg 2\nx.jpg 0\ny.jpg 2\n")
    rejects = datasets.plan(f"celeba:{celeba}", SplitRule(wanted=["test"])).rejects
    assert [reject.id for reject in rejects if reject.reason == "missing"] == ["y.jpg"]


@pytest.mark.parametrize(
    ("table", "content", "says"),
    [
        (ATTRIBUTES, "2\nSmiling Young\n1.jpg 1 1\n2.jpg 1\n", "2.jpg has 1 values, not 2"),
        (ATTRIBUTES, "2\nSmiling Young\n1.jpg 1 1\n2.jpg 1 1 1\n", "2.jpg has 3 values, not 2"),
        (ATTRIBUTES, "2\nSmiling Young\n1.jpg 1 1\n", "has 1 rows, but its header says 2"),
        (ATTRIBUTES, "1\nSmiling Young\n1.jpg 1 1\n2.jpg 1 1\n", "has 2 rows, but its header says 1"),
        (ATTRIBUTES, "1\nSmiling Young\n1.jpg 1 x\n", "invalid literal"),
        (ATTRIBUTES, f"1\nSmiling Young\n1.jpg 1 {2**63}\n", "is damaged"),
        (ATTRIBUTES, "2\nSmiling Young\n1.jpg 1 1\n2.jpg\n", "line 4: nothing follows '2.jpg'"),
        (ATTRIBUTES, "1\n", "1 has 0 values, not 1"),
        (ATTRIBUTES, f"{'9' * 5000}\nSmiling Young\n1.jpg 1 1\n", "is damaged (invalid literal"),
        (ATTRIBUTES, "1\nid gray\n1.jpg 1 1\n", "columns named gray, id, which are reserved or doubled"),
        (ATTRIBUTES, "1\nYoung Young\n1.jpg 1 1\n", "columns named Young, which are reserved or doubled"),
        (IDENTITY, "1.jpg 5 6\n", "1.jpg has 2 values, not 1"),
        (IDENTITY, "1.jpg 5\n2.jpg", "line 2: nothing follows '2.jpg'"),
        (IDENTITY, "caf\xe9.jpg 5\n", "is not a text file"),
        ("list_bbox_celeba.txt", "1\nimage_id x_1 width\n1.jpg 1\n", "1.jpg has 1 values, not 2"),
    ],
)
def test_a_damaged_table_is_refused(celeba: Path, refusal: Refusal, table: str, content: str, says: str) -> None:
    (celeba / table).write_text(content)
    message = refusal(f"celeba:{celeba}")
    assert says in message
    assert table in message


def test_images_of_one_name_in_two_folders_are_not_lost(celeba: Path, ends: Callable[[str], dict[str, str]]) -> None:
    images = celeba / "img_align_celeba"
    (images / "copy").mkdir()
    shutil.copy(images / "000001.jpg", images / "copy" / "000001.jpg")
    found = ends(f"celeba:{celeba}")
    assert found["000001.jpg"] == ""
    assert found["copy/000001.jpg"] == "duplicate"


@pytest.mark.parametrize("content", [b"garbage", b""])
def test_a_damaged_zip_file_is_refused(celeba: Path, refusal: Refusal, content: bytes) -> None:
    shutil.rmtree(celeba / "img_align_celeba")
    (celeba / "img_align_celeba.zip").write_bytes(content)
    assert "img_align_celeba.zip" in refusal(f"celeba:{celeba}")
