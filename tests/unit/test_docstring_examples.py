"""The examples in docstrings of the rooms that work on pixels give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

from colorize_core import images, inference, preprocessing

MODULES = ["colorize_core.color"] + [
    module.name
    for room in (images, preprocessing, inference)
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, extraglobs={"np": np}).failed == 0
