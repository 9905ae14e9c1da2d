"""The command ``colorize train RECIPE DATA OUTPUT``: trains a recipe and writes a model bundle."""

from __future__ import annotations

from typing import Any

import click

from colorize_core.recipes import load_recipe
from colorize_core.training import screen
from colorize_core.training.config import TrainConfig, Workers
from colorize_core.training.trainer import train
from jobs.exits import DONE, run
from jobs.help_lists import RECIPES_AND_DATA_SETS
from jobs.values import recipe_settings


@click.command("train", epilog=RECIPES_AND_DATA_SETS)
@click.argument("recipe")
@click.argument("data")
@click.argument("output")
@click.option("--epochs", type=click.IntRange(1), help="Number of passes over the data.  [default: the recipe's]")
@click.option(
    "--batch-size", type=click.IntRange(1), help="Images per step, over all workers.  [default: the recipe's]"
)
@click.option(
    "--num-workers", type=click.IntRange(1), default=1, show_default=True, help="Number of processes that train."
)
@click.option(
    "--gpu/--no-gpu", default=None, help="Give each worker a GPU, or none.  [default: GPUs if the cluster has any]"
)
@click.option("--resume", is_flag=True, help="Continue from the last checkpoint in OUTPUT, if there is one.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=recipe_settings,
    help="Change any setting of the recipe: --set training.loss=huber",
)
@click.option("--note", default="", help="A sentence on the data for the model card, such as origin and licence.")
def command(
    recipe: str,
    data: str,
    output: str,
    epochs: int | None,
    batch_size: int | None,
    num_workers: int,
    gpu: bool | None,
    resume: bool,
    settings: dict[str, Any],
    note: str,
) -> int:
    """Trains RECIPE on DATA and writes a model bundle to OUTPUT.

    RECIPE is a YAML file or the name of a shipped recipe. DATA is a folder that colorize prepare made, or
    DATASET:SOURCE, such as folder:/photos or cifar10:/data/cifar-10-batches-py.
    """
    shortcuts = {"training.epochs": epochs, "training.batch_size": batch_size}
    loaded = load_recipe(recipe, {**settings, **{name: value for name, value in shortcuts.items() if value}})
    config = TrainConfig(loaded, data, output, Workers(num_workers, gpu), resume, note)
    progress = screen.EpochProgress(loaded.training.epochs)
    with progress:
        result = train(config, on_epoch=progress.epoch, on_progress=progress.step)
        progress.close(result)
    return DONE


if __name__ == "__main__":
    run(command)
