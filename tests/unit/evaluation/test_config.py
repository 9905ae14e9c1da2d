"""What ``EvaluateConfig`` refuses."""

from __future__ import annotations

from typing import Any

import pytest

from colorize_core.errors import UserError
from colorize_core.evaluation.config import EvaluateConfig


@pytest.mark.parametrize(
    ("bundles", "splits", "message"),
    [
        ([], ["test"], r"bundles is \[\], must be a list of at least one name"),
        ("default", ["test"], "bundles is 'default', must be a list of at least one name"),
        (["default"], "val", "splits is 'val', must be a list of at least one name"),
        (["default"], ["val", "all"], "splits contains 'all', must be of train, val, test"),
    ],
)
def test_wrong_lists_are_refused(bundles: list[str], splits: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        EvaluateConfig(bundles, "folder:photographs", "report", splits)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"engine": "onyx"}, "engine is 'onyx'; choose from auto, "),
        ({"runner": "rya"}, "runner is 'rya'; choose from "),
    ],
)
def test_an_unknown_engine_or_runner_is_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        EvaluateConfig(["default"], "folder:photographs", "report", **setting)
