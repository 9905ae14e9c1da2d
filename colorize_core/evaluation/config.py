"""The settings of one evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from colorize_core.datasets.splits import SPLITS
from colorize_core.errors import UserError
from colorize_core.evaluation.fid import FeatureNetwork
from colorize_core.networks import Engine, check_engine
from colorize_core.runtime.runner import RunnerName, check_runner


@dataclass(frozen=True)
class EvaluateConfig:
    """The settings of one evaluation: what to measure, on which photographs, and how.

    Attributes:
        bundles: each the name of a shipped bundle, or a folder or URL with one.
        data: ``DATASET:SOURCE`` as in ``folder:/photographs``, or a folder that ``prepare`` made.
        output: a new or empty folder or URL, or one with an earlier report, which is replaced.
        splits: the parts of the data to measure on, each by itself.
        feature_network: adds Fréchet distances between features of this network (FID); None for no distances.
        engine: name of the engine that runs the networks of the bundles, one of ``ENGINE_CHOICES``.
        runner: name of the runner of the job, one of ``RUNNERS``.

    Raises:
        UserError: ``bundles`` or ``splits`` is empty, or a split, the engine or the runner is unknown.

    Example:
        >>> EvaluateConfig(["default", "my-bundle"], "folder:photographs", "report").splits
        ('test',)
    """

    bundles: Sequence[str]
    data: str
    output: str
    splits: Sequence[str] = ("test",)
    feature_network: FeatureNetwork | None = None
    engine: Engine = "auto"
    runner: RunnerName = "auto"

    def __post_init__(self) -> None:
        for name in ("bundles", "splits"):
            values = getattr(self, name)
            if isinstance(values, str) or not values:
                raise UserError(f"{name} is {values!r}, must be a list of at least one name")
        for split in self.splits:
            if split not in SPLITS:
                raise UserError(f"splits contains {split!r}, must be of {', '.join(SPLITS)}")
        check_engine(self.engine)
        check_runner(self.runner)
