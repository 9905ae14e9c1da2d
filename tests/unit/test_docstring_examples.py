"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import colorize_core

MODULES = [module.name for module in pkgutil.walk_packages(colorize_core.__path__, "colorize_core.")]
# These read photographs or write results; the tests of their jobs call the same functions.
NEED_DATA = {
    "colorize_core.archiving.inputs.listing.list_sources",
    "colorize_core.archiving.job.ArchiveJob",
    "colorize_core.archiving.run.archive",
    "colorize_core.evaluation.evaluate.evaluate",
    "colorize_core.networks.export.export",
    "colorize_core.preparation.prepare.prepare",
    "colorize_core.training.pair_rows.load_pairs",
    "colorize_core.training.trainer.train",
    "colorize_core.training.tuning.tune",
}


def examples_of(name: str) -> list[doctest.DocTest]:
    """Returns the examples of a module and of what is defined in it."""
    found = doctest.DocTestFinder().find(importlib.import_module(name), name, extraglobs={"np": np})
    return [each for each in found if each.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module(name: str) -> None:
    printed: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for each in examples_of(name):
        if each.name not in NEED_DATA:
            runner.run(each, out=printed.append)
    assert not runner.failures, "".join(printed)


def test_each_example_that_needs_data_is_there() -> None:
    assert {each.name for name in MODULES for each in examples_of(name)} >= NEED_DATA
