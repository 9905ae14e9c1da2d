"""The help of commands lists what the registries hold."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from colorize_core.datasets import DATASETS
from colorize_core.recipes import shipped_recipes
from jobs.cli import group


def help_of(command: str) -> str:
    return CliRunner().invoke(group, [command, "--help"]).output


def names_after(heading: str, page: str) -> set[str]:
    """Returns the names of a list in a help page, which may be wrapped."""
    return {name.strip() for name in page.partition(heading)[2].partition(".")[0].split(",")}


@pytest.mark.parametrize("command", ["train", "tune"])
def test_train_and_tune_list_the_recipes_and_the_data_sets(command: str) -> None:
    assert names_after("Shipped recipes: ", help_of(command)) == set(shipped_recipes())
    assert names_after("Data sets: ", help_of(command)) == set(DATASETS)


def test_prepare_lists_the_data_sets_and_those_that_it_downloads() -> None:
    page = help_of("prepare")
    assert page.splitlines()[0].endswith("DATASET SOURCE OUTPUT")
    assert names_after("Data sets: ", page) == set(DATASETS)
    downloadable = {name for name, record in DATASETS.items() if record.archive}
    assert names_after('Data sets that take SOURCE "official": ', page) == downloadable
    assert downloadable >= {"cifar10", "cifar100"}
