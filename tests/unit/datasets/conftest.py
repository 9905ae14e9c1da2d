"""Fixtures for the tests of data sets: each form of each data set, and what must be read from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorize_core import datasets
from colorize_core.datasets.rows import ReadPlan
from colorize_core.errors import InputError
from tests.support import dataset_forms
from tests.support.dataset_forms import MAKERS, RULE, Pixels, Shot, SmallDataset


@pytest.fixture(scope="session")
def shots(photographs: dict[str, Pixels], as_png: Callable[[Pixels], bytes]) -> list[Shot]:
    """Returns 24 crops of photographs, of 32x32 pixels and more."""
    rng = np.random.default_rng(2)
    crops = []
    for i in range(24):
        rgb = photographs[sorted(photographs)[i % len(photographs)]]
        top, left = rng.integers(0, rgb.shape[0] - 100), rng.integers(0, rgb.shape[1] - 100)
        crops.append(np.ascontiguousarray(rgb[top : top + 32 + i % 3, left : left + 32 + i % 5]))
    return [Shot(rgb, as_png(rgb)) for rgb in crops]


@pytest.fixture(scope="session")
def pack() -> Callable[[Path, Mapping[str, bytes]], str]:
    """Returns ``dataset_forms.pack``."""
    return dataset_forms.pack


@pytest.fixture(scope="session")
def make(shots: list[Shot]) -> Callable[[str, Path], SmallDataset]:
    """Returns a function that makes a form of a data set, by its name, in a folder."""
    return lambda form, where: MAKERS[form](shots, where)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives every form of every data set to the tests that take ``dataset``."""
    if "dataset" in metafunc.fixturenames:
        metafunc.parametrize("dataset", MAKERS, indirect=True, scope="module")


@pytest.fixture(scope="module")
def dataset(
    request: pytest.FixtureRequest, make: Callable[[str, Path], SmallDataset], tmp_path_factory: Any
) -> SmallDataset:
    """Returns a form of a data set, which is made once per module."""
    return make(request.param, tmp_path_factory.mktemp("set") / "source")


@pytest.fixture(scope="session")
def forms() -> list[str]:
    """Returns the names of all forms: DATASET-FORM, and ``prepared`` for the output of ``prepare``."""
    return list(MAKERS)


@pytest.fixture(scope="session")
def read_all() -> Callable[[ReadPlan], dict[str, dict[str, Any]]]:
    """Returns a function that reads all chunks of a plan and returns the rows by their ids."""

    def read(plan: ReadPlan) -> dict[str, dict[str, Any]]:
        found = {}
        for chunk in plan.chunks:
            for rows in chunk():
                columns = rows.columns()
                assert {len(column) for column in columns.values()} == {len(rows)}
                for i, identity in enumerate(columns["id"]):
                    assert identity not in found, f"{identity} came twice"
                    found[identity] = {name: column[i] for name, column in columns.items()}
        return found

    return read


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[[str], str]:
    """Returns a function that reads data, which must fail, and returns the message.

    The message is one line that names the place and what to do. Nothing is written.
    """

    def refuse(data: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(InputError) as caught:
            [list(chunk()) for chunk in datasets.plan(data, RULE).chunks]
        message = str(caught.value)
        assert "\n" not in message
        assert str(tmp_path) in message
        assert re.search("fetch|check|need|rename|prepare|unpack|update", message)
        assert len(message) < 500 + 2 * len(str(tmp_path))
        assert sorted(tmp_path.rglob("*")) == before
        return message

    return refuse


@pytest.fixture(scope="session")
def ends() -> Callable[[str], dict[str, str]]:
    """Returns a function that maps each id to the reason of its rejection; '' for a good row."""

    def of(data: str) -> dict[str, str]:
        plan = datasets.plan(data, RULE)
        rows = [row for chunk in plan.chunks for rows in chunk() for row in zip(rows.id, rows.reason, strict=True)]
        return dict(rows) | {reject.id: reject.reason for reject in plan.rejects}

    return of
