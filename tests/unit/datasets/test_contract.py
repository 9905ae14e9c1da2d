"""The contract that every reader keeps, for each form of each data set."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray import cloudpickle

from colorize_core import datasets
from colorize_core.datasets.rows import NO_LABEL, ReadPlan, RowBatch
from colorize_core.datasets.splits import SPLITS

ReadAll = Callable[[ReadPlan], dict[str, dict[str, Any]]]


@pytest.fixture
def plan(dataset: Any) -> ReadPlan:
    return datasets.plan(dataset.data, dataset.rule)


def _batches(plan: ReadPlan) -> list[RowBatch]:
    return [rows for chunk in plan.chunks for rows in chunk()]


def _same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_every_reader_is_under_contract(forms: list[str]) -> None:
    assert {form.partition("-")[0] for form in forms} == {*datasets.DATASETS, "prepared"}


def test_pixels_are_those_of_the_source(dataset: Any, plan: ReadPlan, read_all: ReadAll) -> None:
    good = {identity: row for identity, row in read_all(plan).items() if not row["reason"]}
    assert good.keys() == dataset.pixels.keys()
    for identity, row in good.items():
        assert row["rgb"].dtype == np.uint8
        np.testing.assert_allclose(row["rgb"].astype(int), dataset.pixels[identity], atol=dataset.tolerance, rtol=0)


def test_gray_photographs_are_those_of_the_source(dataset: Any, plan: ReadPlan, read_all: ReadAll) -> None:
    for identity, row in read_all(plan).items():
        assert ("gray" in row) == bool(dataset.gray)
        if identity in dataset.gray:
            assert row["gray"].dtype == np.uint8
            np.testing.assert_array_equal(row["gray"], dataset.gray[identity])


def test_every_file_ends_as_a_row_or_as_a_reject(dataset: Any, plan: ReadPlan, read_all: ReadAll) -> None:
    rows = {identity: row["reason"] for identity, row in read_all(plan).items() if row["reason"]}
    known = {reject.id: reject.reason for reject in plan.rejects}
    assert rows | known == dataset.rejects
    assert len(rows) + len(plan.rejects) == len(dataset.rejects)


def test_a_reject_has_a_line_for_a_person_and_no_pixels(plan: ReadPlan, read_all: ReadAll) -> None:
    for reject in plan.rejects:
        assert reject.message.strip()
        assert "\n" not in reject.message
    for row in read_all(plan).values():
        assert bool(row["message"].strip()) == bool(row["reason"])
        assert "\n" not in row["message"]
        assert (row["rgb"].size == 0) == bool(row["reason"])
        assert row["rgb"].shape[2:] == (3,)


def test_rows_are_in_the_split_that_the_set_says_or_the_hash(dataset: Any, plan: ReadPlan, read_all: ReadAll) -> None:
    rows = read_all(plan)
    assert {row["split"] for row in rows.values()} == set(SPLITS)
    assert {identity: rows[identity]["split"] for identity in dataset.pixels} == {
        identity: dataset.splits[identity] for identity in dataset.pixels
    }


def test_labels_are_in_every_row(dataset: Any, plan: ReadPlan, read_all: ReadAll) -> None:
    names = {name for labels in dataset.labels.values() for name in labels}
    for rows in _batches(plan):
        assert rows.labels.keys() == names
        assert {values.dtype for values in rows.labels.values()} <= {np.dtype(np.int64)}
    for identity, row in read_all(plan).items():
        labels = dataset.labels.get(identity, {}) if not row["reason"] else dict.fromkeys(names, NO_LABEL)
        assert {name: row[name] for name in names} == labels


def test_wanted_splits_are_disjoint_parts_of_the_whole(dataset: Any, plan: ReadPlan, read_all: ReadAll) -> None:
    whole = read_all(plan)
    parts: dict[str, Any] = {}
    for split in SPLITS:
        part = read_all(datasets.plan(dataset.data, replace(dataset.rule, wanted=[split])))
        assert {row["split"] for row in part.values()} == {split}
        assert not part.keys() & parts.keys()
        parts |= part
    assert parts.keys() == whole.keys()
    for identity, row in whole.items():
        _same(row, parts[identity])


def test_a_second_reading_gives_the_same_rows_in_the_same_order(plan: ReadPlan) -> None:
    first, second = _batches(plan), _batches(plan)
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert list(one.id) == list(other.id)
        for name, column in one.columns().items():
            for a, b in zip(column, other.columns()[name], strict=True):
                np.testing.assert_array_equal(a, b)


def test_the_plan_is_the_same_twice(dataset: Any, plan: ReadPlan) -> None:
    """``prepare`` compares plans by their text to see if it goes on with the same data set."""
    again = datasets.plan(dataset.data, dataset.rule)
    texts = [repr((chunk.func.__qualname__, chunk.args)) for chunk in plan.chunks]  # type: ignore[attr-defined]
    assert texts == [repr((c.func.__qualname__, c.args)) for c in again.chunks]  # type: ignore[attr-defined]
    assert " at 0x" not in "".join(texts)
    assert list(plan.rejects) == list(again.rejects)


@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=lambda module: module.__name__)
def test_chunks_travel_to_another_process(dataset: Any, plan: ReadPlan, read_all: ReadAll, pickler: Any) -> None:
    sent = ReadPlan(pickle.loads(pickler.dumps(list(plan.chunks))))  # noqa: S301
    rows, there = read_all(plan), read_all(sent)
    assert rows.keys() == there.keys()
    for identity, row in rows.items():
        _same(row, there[identity])


def test_nothing_is_written(dataset: Any, plan: ReadPlan, read_all: ReadAll, tmp_path: Path) -> None:
    source = Path(dataset.data.partition(":")[2] or dataset.data)
    before = {str(path): path.stat().st_mtime_ns for path in source.parent.rglob("*")}
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        read_all(plan)
    finally:
        os.chdir(here)
    assert {str(path): path.stat().st_mtime_ns for path in source.parent.rglob("*")} == before
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["cifar100-binary.tar.gz", "folder-tree", "paired-trees", "parquet-struct"])
@pytest.mark.usefixtures("ray_here")
def test_ray_data_takes_the_rows(form: str, make: Any, read_all: ReadAll, tmp_path: Path) -> None:
    """The images of a data set can differ in size, and most chunks can have no image of a split."""
    dataset = make(form, tmp_path / "source")
    rule = replace(dataset.rule, wanted=["val", "test"])
    rows = {row["id"]: row for row in datasets.read(dataset.data, rule).iter_rows()}
    expected = read_all(datasets.plan(dataset.data, rule))
    assert rows.keys() == expected.keys()
    for identity, row in expected.items():
        _same(row, rows[identity])
