"""Tests that the record of each data set agrees with its planner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from colorize_core import datasets
from colorize_core.datasets import DATASETS


@pytest.mark.parametrize("name", DATASETS)
def test_a_test_split_that_is_declared_needs_no_fraction(
    name: str, forms: list[str], make: Callable[[str, Path], Any], read_all: Any, tmp_path: Path
) -> None:
    dataset = make(next(form for form in forms if form.partition("-")[0] == name), tmp_path / "source")
    rows = read_all(datasets.plan(dataset.data, replace(dataset.rule, test=0.0)))
    assert any(row["split"] == "test" for row in rows.values()) == DATASETS[name].has_test_split


@pytest.mark.parametrize("name", DATASETS)
def test_a_planner_is_found_by_its_name(name: str) -> None:
    assert DATASETS[name].load_planner().__name__ == f"plan_{name}"


def test_cifar_keeps_the_size_of_the_published_images() -> None:
    assert [DATASETS[name].size for name in ("cifar10", "cifar100", "folder")] == [32, 32, 128]
