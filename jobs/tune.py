"""The command ``colorize tune RECIPE DATA OUTPUT``: searches settings of a recipe, writes the best trial's bundle."""

from __future__ import annotations

import click

from colorize_core.recipes import load_recipe
from colorize_core.training import screen
from colorize_core.training.config import TuneConfig
from colorize_core.training.search_space import DEFAULT, load_search_space
from colorize_core.training.tuning import tune
from jobs.exits import DONE, run
from jobs.help_lists import RECIPES_AND_DATA_SETS


@click.command("tune", epilog=RECIPES_AND_DATA_SETS)
@click.argument("recipe")
@click.argument("data")
@click.argument("output")
@click.option(
    "--trials",
    type=click.IntRange(1),
    default=TuneConfig.trials,
    show_default=True,
    help="Number of sets of settings to try.",
)
@click.option("--space", help=f"YAML file with the settings to try.  [default: {', '.join(DEFAULT)}]")
@click.option(
    "--epochs", type=click.IntRange(1), help="Epochs of a trial that is not stopped early.  [default: the recipe's]"
)
@click.option(
    "--gpu/--no-gpu", default=None, help="Give each trial a GPU, or none.  [default: GPUs if the cluster has any]"
)
@click.option("--resume", is_flag=True, help="Continue the search in OUTPUT, if there is one.")
@click.option("--note", default="", help="A sentence on the data for the model card, such as origin and licence.")
def command(
    recipe: str,
    data: str,
    output: str,
    trials: int,
    space: str | None,
    epochs: int | None,
    gpu: bool | None,
    resume: bool,
    note: str,
) -> int:
    """Tries settings of RECIPE on DATA, and writes the bundle of the best trial to OUTPUT.

    Trials that fall behind are stopped early. trials.csv and trials.png in OUTPUT list all trials. RECIPE and DATA are
    as for colorize train.
    """
    loaded = load_recipe(recipe, {"training.epochs": epochs} if epochs else {})
    config = TuneConfig(loaded, data, output, load_search_space(space), trials, gpu, resume, note)
    progress = screen.TrialProgress(trials, loaded.training.epochs)
    with progress:
        result = tune(config, on_trial=progress.update)
        progress.close(result)
    return DONE


if __name__ == "__main__":
    run(command)
