"""The data sets that colorize can read, by name. A new one is one module with a planner, and one line here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from colorize_core.datasets.official import PublishedArchive
from colorize_core.datasets.rows import ReadPlan
from colorize_core.datasets.splits import SplitRule

Planner = Callable[[str, SplitRule], ReadPlan]
"""Lists a source without reading its images. Takes the source and the split rule; raises InputError."""


@dataclass(frozen=True)
class DataSet:
    """A kind of data set.

    Attributes:
        planner: its planner as ``module:function``, imported when the data set is first used.
        size: pixels per side of a prepared image, unless the caller asks for another size.
        has_test_split: True if the publisher says which images are for testing; ``SplitRule.test`` is unused then.
        archive: the published archive, which the planner reads for the source ``official``; None if it takes no such
            source.
    """

    planner: str
    size: int = 128
    has_test_split: bool = False
    archive: PublishedArchive | None = None

    def load_planner(self) -> Planner:
        """Imports the planner's module and returns the planner."""
        module, function = self.planner.split(":")
        planner: Planner = getattr(importlib.import_module(module), function)
        return planner


DATASETS = {
    "celeba": DataSet("colorize_core.datasets.celeba:plan_celeba", has_test_split=True),
    "cifar10": DataSet(
        "colorize_core.datasets.cifar:plan_cifar10",
        size=32,
        has_test_split=True,
        archive=PublishedArchive(
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", md5="c58f30108f718f92721af3b95e74349a"
        ),
    ),
    "cifar100": DataSet(
        "colorize_core.datasets.cifar:plan_cifar100",
        size=32,
        has_test_split=True,
        archive=PublishedArchive(
            "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz", md5="eb9058c3a382ffc7106e4002c42a8d85"
        ),
    ),
    "folder": DataSet("colorize_core.datasets.folder:plan_folder"),
    "paired": DataSet("colorize_core.datasets.paired:plan_paired"),
    "parquet": DataSet("colorize_core.datasets.table:plan_parquet"),
}
