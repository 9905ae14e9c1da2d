"""The help of commands lists what the registries hold."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from colorize_core.datasets import DATASETS
from colorize_core.recipes import shipped_recipes
from jobs.cli import group


def help_of(command: str) -> str:
    return CliRunner().invoke(group, [command, "--help"]).output


@pytest.mark.parametrize("command", ["train", "tune"])
def test_train_and_tune_list_the_recipes_and_the_data_sets(command: str) -> None:
    listed = help_of(command)[help_of(command).index("Shipped recipes: ") :].split()
    words = {word.strip(",.") for word in listed}
    assert words >= {*shipped_recipes(), *DATASETS}


def test_prepare_lists_the_data_sets_and_those_that_it_downloads() -> None:
    page = help_of("prepare")
    assert page.splitlines()[0].endswith("DATASET SOURCE OUTPUT")
    assert f"Data sets: {', '.join(DATASETS)}." in page
    assert 'Data sets that take SOURCE "official": cifar10, cifar100.' in page
