"""Prepared data sets are read back; those that were changed since are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from colorize_core import datasets
from colorize_core.datasets import prepared
from colorize_core.datasets.rows import RowBatch
from colorize_core.datasets.splits import SplitRule

Refusal = Callable[[str], str]


@pytest.fixture
def place(tmp_path: Path, make: Callable[[str, Path], Any]) -> Path:
    make("prepared", tmp_path / "set")
    return tmp_path / "set"


def test_another_rule_moves_no_row(place: Path, read_all: Callable[..., Any]) -> None:
    for rule in (SplitRule(0, 0), SplitRule(0.5, 0.5, seed=3)):
        rows = read_all(datasets.plan(str(place), rule))
        assert {identity: row["split"] for identity, row in rows.items()} == {
            identity: identity.split("/")[1].split(" ")[0] for identity in rows
        }


def test_the_order_of_the_splits_is_not_that_of_the_wish(place: Path) -> None:
    plans = [datasets.plan(str(place), SplitRule(wanted=wanted)) for wanted in (["train", "test"], ["test", "train"])]
    assert [repr(chunk.args) for chunk in plans[0].chunks] == [repr(chunk.args) for chunk in plans[1].chunks]  # type: ignore[attr-defined]


def test_a_shard_of_many_rows_is_read_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 3), dtype=np.uint8)
    (tmp_path / "train").mkdir()
    table = prepared.shard(RowBatch.good([str(i) for i in range(7)], ["train"] * 7, rgb))
    pq.write_table(table, tmp_path / "train" / "part-0.parquet")
    monkeypatch.setattr(prepared, "_ROWS_AT_ONCE", 3)
    [chunk] = prepared.find_shards(str(tmp_path), 4, ["train"])
    batches = list(chunk())
    assert [len(rows) for rows in batches] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate([rows.rgb for rows in batches]), rgb)


def test_a_shard_without_rows_has_none(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    table = prepared.shard(RowBatch.good([], [], np.zeros((0, 4, 4, 3), np.uint8)))
    pq.write_table(table, tmp_path / "val" / "part-0.parquet")
    [chunk] = prepared.find_shards(str(tmp_path), 4, ["val"])
    assert sum(map(len, chunk())) == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"\xff\xfe",
        b"[]",
        b"7",
        b"{}",
        b'{"format": 1}',
        b'{"format": 1, "transform": {}, "images": {"train": 8}}',
        b'{"format": 1, "transform": {"size": "32"}, "images": {"train": 8}}',
        b'{"format": 1, "transform": {"size": 0}, "images": {"train": 8}}',
        b'{"format": 1, "transform": {"size": 32}}',
        b'{"format": 1, "transform": {"size": 32}, "images": {"train": 8}}',
        b'{"format": 1, "transform": {"size": 32}, "images": {"train": 8}, "pair": {"gray": "luminance"}}',
    ],
)
def test_a_damaged_description_is_refused(place: Path, refusal: Refusal, content: bytes) -> None:
    (place / "dataset.json").write_bytes(content)
    assert "dataset.json in" in refusal(str(place))


def test_a_newer_format_is_refused(place: Path, refusal: Refusal) -> None:
    facts = json.loads((place / "dataset.json").read_text())
    (place / "dataset.json").write_text(json.dumps(facts | {"format": 2}))
    assert "has format 2, need 1: update colorize, or prepare again" in refusal(str(place))


def test_a_folder_without_the_description_is_no_data_set(place: Path, refusal: Refusal) -> None:
    (place / "dataset.json").unlink()
    assert "is neither a folder that colorize prepare made nor DATASET:SOURCE" in refusal(str(place))


def test_a_data_set_without_its_shards_is_refused(place: Path, refusal: Refusal) -> None:
    for split in ("train", "val", "test"):
        shutil.rmtree(place / split)
    assert "has no shards of split train, val, test" in refusal(str(place))


@pytest.mark.parametrize("kept", [0, 4, 1000, -1, -100])
def test_a_shard_that_was_cut_off_is_refused(place: Path, refusal: Refusal, kept: int) -> None:
    path = place / "val" / "part-00000.parquet"
    path.write_bytes(path.read_bytes()[:kept])
    message = refusal(str(place))
    assert f"{path} is damaged" in message
    assert message.endswith("prepare again")


@pytest.mark.parametrize(
    "columns",
    [
        {"id": ["a"]},
        {"rgb": pa.array([bytes(3072)], pa.binary(3072))},
        {"id": ["a"], "rgb": pa.array([bytes(300)], pa.binary(300))},
        {"id": ["a"], "rgb": pa.array([bytes(4000)], pa.binary(4000))},
        {"id": ["a"], "rgb": [bytes(3072)]},
        {"id": ["a"], "rgb": pa.array([bytes(3072)], pa.binary(3072)), "gray": pa.array([b"1"], pa.binary(1))},
        {"id": ["a"], "rgb": pa.array([bytes(3072)], pa.binary(3072)), "label": pa.array([None], pa.int64())},
    ],
    ids=["no pixels", "no id", "smaller", "larger", "another type", "another gray", "no label"],
)
def test_a_shard_of_something_else_is_refused(place: Path, refusal: Refusal, columns: dict[str, Any]) -> None:
    pq.write_table(pa.table(columns), place / "train" / "part-00000.parquet")
    assert "part-00000.parquet is damaged" in refusal(str(place))
