"""CIFAR in folders and archives, and its binary batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorize_core import datasets
from colorize_core.datasets import cifar
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError
from colorize_core.storage import containers
from tests.unit.datasets.cifar_batches import RGB, ROWS


def test_a_binary_batch() -> None:
    content = np.column_stack([[1, 2, 19], [0, 50, 99], ROWS]).astype(np.uint8).tobytes()
    pixels, labels = cifar.load_binary(content, "train.bin", ("coarse_label", "fine_label"))
    np.testing.assert_array_equal(pixels, RGB)
    assert {name: values.tolist() for name, values in labels.items()} == {
        "coarse_label": [1, 2, 19],
        "fine_label": [0, 50, 99],
    }


@pytest.mark.parametrize("size", [0, 1, 3072, 3073 * 2 - 1, 3074 * 2])
def test_a_binary_batch_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(InputError, match=r"test_batch\.bin does not consist of whole records of 3073 bytes: fetch"):
        cifar.load_binary(bytes(size), "test_batch.bin", ("label",))


@pytest.mark.parametrize(("names", "wrong"), [(("label",), [10]), (("coarse_label", "fine_label"), [20, 0])])
def test_a_binary_batch_with_a_label_out_of_range_is_refused(names: tuple[str, ...], wrong: list[int]) -> None:
    with pytest.raises(InputError, match=rf"has a {names[0]} of {wrong[0]}, need 0 to {wrong[0] - 1}"):
        cifar.load_binary(bytes(wrong) + bytes(3072), "test.bin", names)


@pytest.fixture(params=["cifar10-python", "cifar10-binary", "cifar100-python", "cifar100-binary"])
def unpacked(request: pytest.FixtureRequest, make: Callable[[str, Path], Any], tmp_path: Path) -> tuple[str, Path]:
    """Returns the name of the data set and the folder of its batches."""
    make(request.param, tmp_path)
    return request.param.partition("-")[0], tmp_path / "batches"


def test_a_missing_batch_is_named(unpacked: tuple[str, Path], refusal: Callable[[str], str]) -> None:
    name, folder = unpacked
    batch = next(path for path in folder.iterdir() if path.name.startswith("test"))
    batch.unlink()
    assert refusal(f"{name}:{folder}").startswith(f"{batch.name} not in {folder}: need the Python or the binary")


def test_a_batch_that_was_cut_off_is_refused(unpacked: tuple[str, Path], refusal: Callable[[str], str]) -> None:
    name, folder = unpacked
    for batch in folder.glob("*t*_batch*" if name == "cifar10" else "test*"):
        whole = batch.read_bytes()
        for kept in (0, 1, len(whole) // 2 + 1, len(whole) - 1):
            batch.write_bytes(whole[:kept])
            assert str(batch) in refusal(f"{name}:{folder}")
        batch.write_bytes(whole)


@pytest.mark.parametrize("other", ["cifar10", "cifar100"])
def test_the_other_set_is_refused(make: Callable[[str, Path], Any], tmp_path: Path, refusal: Any, other: str) -> None:
    name = {"cifar10": "cifar100", "cifar100": "cifar10"}[other]
    dataset = make(f"{other}-python.tar.gz", tmp_path)
    assert f"the Python or the binary batches of {name}" in refusal(dataset.data.replace(other, name, 1))


@pytest.mark.parametrize("source", ["nowhere", "nowhere.tar.gz", "notes.txt"])
def test_a_place_that_is_none_is_refused(tmp_path: Path, refusal: Callable[[str], str], source: str) -> None:
    (tmp_path / "notes.txt").write_text("a text")
    assert "no folder or .tar.gz file at" in refusal(f"cifar10:{tmp_path / source}")


@pytest.mark.parametrize("kept", [0, 10, 5000, -1, -20, -3000])
def test_an_archive_that_was_cut_off_is_refused(
    make: Callable[[str, Path], Any], tmp_path: Path, refusal: Callable[[str], str], kept: int
) -> None:
    make("cifar10-python.tar.gz", tmp_path)
    path = tmp_path / "batches.tar.gz"
    path.write_bytes(path.read_bytes()[:kept])
    assert f"{path} cannot be read or is damaged" in refusal(f"cifar10:{path}")


def test_an_archive_that_unpacks_to_too_much_is_refused(
    make: Callable[[str, Path], Any], tmp_path: Path, refusal: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make("cifar100-binary.tar.gz", tmp_path).data
    monkeypatch.setattr(containers, "MAX_BYTES", 1000)
    assert "bytes unpacked, more than 1000" in refusal(data)


def test_a_batch_without_a_wanted_row_is_not_read(make: Callable[[str, Path], Any], tmp_path: Path) -> None:
    data = make("cifar10-python", tmp_path).data
    counts = {split: len(datasets.plan(data, SplitRule(wanted=[split])).chunks) for split in ("train", "val", "test")}
    assert counts == {"train": 5, "val": 5, "test": 1}
