"""``colorize tune RECIPE DATA OUTPUT``"""

from __future__ import annotations

import click

from colorize_core.recipes import load_recipe
from colorize_core.training import screen
from colorize_core.training.space import load_space
from colorize_core.training.tuning import tune
from jobs.exits import DONE, run


@click.command("tune")
@click.argument("recipe")
@click.argument("data")
@click.argument("output")
@click.option("--trials", type=click.IntRange(1), default=12, show_default=True, help="Sets of settings to try.")
@click.option("--space", help="YAML file with what to try; learning rate, batch size and loss, unless given.")
@click.option("--epochs", type=click.IntRange(1), help="Of a trial that goes to the end; the recipe's, unless given.")
@click.option("--gpu/--no-gpu", default=None, help="A GPU per trial; when the cluster has one, unless given.")
@click.option("--resume", is_flag=True, help="Go on with the search in OUTPUT, if there is one.")
@click.option("--note", default="", help="A sentence on the data for the model card: origin, terms of use.")
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
    """Tries settings of RECIPE on DATA, and leaves the bundle of the best trial in OUTPUT.

    Trials that are behind are ended early. trials.csv and trials.png in OUTPUT have all of them.
    """
    loaded = load_recipe(recipe, {"training.epochs": epochs} if epochs else {})
    board = screen.TrialProgress(trials, loaded.training.epochs)
    with board:
        done = tune(
            loaded,
            data,
            output,
            load_space(space),
            trials=trials,
            use_gpu=gpu,
            resume=resume,
            note=note,
            on_trial=board.take,
        )
        board.close(done)
    return DONE


if __name__ == "__main__":
    run(command)
