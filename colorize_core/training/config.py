"""The settings of a training and of a search, which are checked when they are built."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from colorize_core import models
from colorize_core.errors import RecipeError
from colorize_core.recipes import Recipe, with_settings
from colorize_core.training.search_space import SearchSpace, Setting


@dataclass(frozen=True)
class Workers:
    """The processes that train.

    Attributes:
        number: number of processes.
        use_gpu: whether each process has a GPU; None to use GPUs if the cluster has any.

    Example:
        >>> Workers(number=2, use_gpu=True)
        Workers(number=2, use_gpu=True)
    """

    number: int = 1
    use_gpu: bool | None = None


@dataclass(frozen=True)
class TrainConfig:
    """The settings of one training: what to train, on which data, and where to write the bundle.

    Attributes:
        recipe: what to train.
        data: ``DATASET:SOURCE``, such as ``folder:/photographs``, or a folder that ``prepare`` made.
        output: folder for the bundle, local or a URL.
        workers: number of worker processes, which share each global batch, and whether they use GPUs.
        resume: continue from the last checkpoint in ``output``, if there is one.
        note: a sentence on the data for the model card.

    Raises:
        RecipeError: the recipe has a setting that its model does not take, or its batch size does not divide over the
            workers.

    Example:
        >>> from colorize_core import load_recipe
        >>> config = TrainConfig(load_recipe("unet-lab"), "folder:photographs", "my-bundle", workers=Workers(2))
        >>> config.recipe.training.batch_size // config.workers.number
        32
    """

    recipe: Recipe
    data: str
    output: str
    workers: Workers = field(default_factory=Workers)
    resume: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        batch_size = self.recipe.training.batch_size
        if batch_size % self.workers.number:
            raise RecipeError(f"training.batch_size {batch_size} does not divide over {self.workers.number} workers")
        models.check_settings(self.recipe.model.name, self.recipe.model.settings)


@dataclass(frozen=True)
class TuneConfig:
    """The settings of one search: the recipe, the settings to try, the data, and where to write the best bundle.

    Attributes:
        recipe: what to train; each trial replaces some of its settings.
        data: ``DATASET:SOURCE``, such as ``folder:/photographs``, or a folder that ``prepare`` made.
        output: folder for the bundle, local or a URL.
        space: settings to try, each with values or a range.
        trials: number of trials.
        use_gpu: whether each trial has a GPU; None to use GPUs if the cluster has any.
        resume: continue the search in ``output``, if there is one.
        note: a sentence on the data for the model card.

    Raises:
        RecipeError: the recipe does not take one of its settings or a setting of a trial, or ``trials`` is below 1.

    Example:
        >>> from colorize_core import load_recipe
        >>> space = SearchSpace({"training.loss": ["mse", "l1"]})
        >>> config = TuneConfig(load_recipe("unet-lab"), "folder:photographs", "my-bundle", space, trials=2)
        >>> config.trial_settings
        [{'training.loss': 'l1'}, {'training.loss': 'l1'}]
    """

    recipe: Recipe
    data: str
    output: str
    space: SearchSpace
    trials: int = 12
    use_gpu: bool | None = None
    resume: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise RecipeError(f"trials is {self.trials}: it must be 1 or more")
        models.check_settings(self.recipe.model.name, self.recipe.model.settings)
        for settings in self.trial_settings:
            with_settings(self.recipe, settings)  # raises if the recipe does not take them

    @cached_property
    def trial_settings(self) -> list[dict[str, Setting]]:
        """The settings of each trial by dotted name, drawn from the recipe's seed."""
        return self.space.draw(self.trials, self.recipe.training.seed)
