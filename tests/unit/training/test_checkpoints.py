"""States of a training, written and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from colorize_core.training import checkpoints
from colorize_core.training.checkpoints import State
from tests.support.histories import history_row

RNG = np.random.default_rng(0)


def state(epoch: int) -> State:
    arrays = {"model/0000": RNG.normal(size=(3, 4)).astype(np.float32), "model/0001": np.array([7, 8], np.uint32)}
    history = [history_row(i + 1, val_loss=1 / (i + 1)) for i in range(epoch)]
    return State("the run", history, {**arrays, "optimizer0/0000": np.array(epoch)}, arrays)


def assert_same(left: State | None, right: State) -> None:
    assert left is not None
    assert (left.identity, left.history, left.epoch) == (right.identity, right.history, right.epoch)
    for mine, other in ((left.arrays, right.arrays), (left.best, right.best)):
        assert mine.keys() == other.keys()
        for name in mine:
            assert mine[name].dtype == other[name].dtype
            np.testing.assert_array_equal(mine[name], other[name])


def test_the_newest_is_read_back_whole_and_only_some_are_kept(tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    assert checkpoints.load_newest(folder) is None
    states = [state(epoch) for epoch in (1, 2, 3, 10)]
    for each in states:
        checkpoints.save(folder, each, keep=2)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["epoch-00003.npz", "epoch-00010.npz"]
    assert_same(checkpoints.load_newest(folder), states[-1])


@pytest.mark.parametrize("damage", [b"", b"no zip file", None])
def test_a_damaged_one_is_passed_over(tmp_path: Path, damage: bytes | None) -> None:
    older, newer = state(1), state(2)
    for each in (older, newer):
        checkpoints.save(str(tmp_path), each, keep=2)
    path = tmp_path / "epoch-00002.npz"
    path.write_bytes(path.read_bytes()[:-200] if damage is None else damage)
    assert_same(checkpoints.load_newest(str(tmp_path)), older)


def test_other_files_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("epoch")
    assert checkpoints.load_newest(str(tmp_path)) is None


def test_a_pickle_in_it_does_not_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "epoch-00001.npz", facts=np.array([{"a": 1}], object))
    assert checkpoints.load_newest(str(tmp_path)) is None


def test_it_works_in_object_storage() -> None:
    kept = state(3)
    checkpoints.save("memory://bucket/run", kept, keep=1)
    assert_same(checkpoints.load_newest("memory://bucket/run"), kept)
