"""What each data set declares of itself agrees with what its planner does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from colorize_core import datasets
from colorize_core.datasets import DATASETS

FORMS = {"celeba": "celeba-zip", "cifar10": "cifar10-binary", "cifar100": "cifar100-binary", "folder": "folder-tree"}
FORMS |= {"paired": "paired-trees", "parquet": "parquet-bytes"}


@pytest.mark.parametrize("name", DATASETS)
def test_a_test_split_that_is_declared_needs_no_fraction(
    name: str, make: Callable[[str, Path], Any], read_all: Any, tmp_path: Path
) -> None:
    made = make(FORMS[name], tmp_path / "source")
    rows = read_all(datasets.plan(made.data, replace(made.rule, test=0.0)))
    assert any(row["split"] == "test" for row in rows.values()) == DATASETS[name].has_test_split


@pytest.mark.parametrize("name", DATASETS)
def test_a_planner_is_found_by_its_name(name: str) -> None:
    assert DATASETS[name].load_planner().__name__ == f"plan_{name}"


def test_sizes_are_those_of_the_published_images() -> None:
    assert {name: record.size for name, record in DATASETS.items() if record.size != datasets.DataSet.size} == {
        "cifar10": 32,
        "cifar100": 32,
    }
