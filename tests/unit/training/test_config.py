"""Settings of a training and of a search are checked where they are built."""

from __future__ import annotations

import pytest

from colorize_core import RecipeError, SearchSpace, TrainConfig, TuneConfig, UserError, Workers, load_recipe

RECIPE = load_recipe("unet-lab", {"training.batch_size": 32})
LOSSES = SearchSpace.model_validate({"training.loss": ["mse", "l1"]})


def test_a_batch_that_does_not_divide_over_the_workers_is_refused() -> None:
    assert TrainConfig(RECIPE, "folder:x", "out", Workers(4)).workers.number == 4
    with pytest.raises(RecipeError, match="batch_size 32 does not divide over 5 workers"):
        TrainConfig(RECIPE, "folder:x", "out", Workers(5))


def test_a_setting_that_the_model_does_not_take_is_refused() -> None:
    wrong = load_recipe("unet-lab", {"model.settings.depth": 3})
    with pytest.raises(RecipeError, match=r"model\.settings of unet: depth is unknown"):
        TrainConfig(wrong, "folder:x", "out")
    with pytest.raises(RecipeError, match=r"model\.settings of unet: depth is unknown"):
        TuneConfig(wrong, "folder:x", "out", LOSSES)


def test_the_settings_of_all_trials_are_drawn_and_checked() -> None:
    config = TuneConfig(RECIPE, "folder:x", "out", LOSSES, trials=5)
    assert config.trial_settings == LOSSES.draw(5, RECIPE.training.seed)
    with pytest.raises(RecipeError, match=r"training\.speed"):
        TuneConfig(RECIPE, "folder:x", "out", SearchSpace.model_validate({"training.speed": [1]}))
    with pytest.raises(UserError, match="trials is 0: it must be 1 or more"):
        TuneConfig(RECIPE, "folder:x", "out", LOSSES, trials=0)
