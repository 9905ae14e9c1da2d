"""``colorize train RECIPE DATA OUTPUT``"""

from __future__ import annotations

from typing import Any

import click
import yaml

from colorize_core.errors import one_line
from colorize_core.recipes import load_recipe
from colorize_core.training import screen
from colorize_core.training.trainer import Workers, train
from jobs.exits import DONE, run


def _settings(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    pairs = [value.partition("=") for value in values]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise click.BadParameter("write it as section.key=value, as in training.loss=huber")
    try:
        return {name: yaml.safe_load(value) for name, _, value in pairs}
    except yaml.YAMLError as error:
        raise click.BadParameter(f"not a YAML value: {one_line(error)}") from error


@click.command("train")
@click.argument("recipe")
@click.argument("data")
@click.argument("output")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the data; the recipe's, unless given.")
@click.option("--batch-size", type=click.IntRange(1), help="Images per step, over all workers.")
@click.option("--num-workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that train.")
@click.option("--gpu/--no-gpu", default=None, help="A GPU per worker; when the cluster has one, unless given.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in OUTPUT, if there is one.")
@click.option("--set", "settings", multiple=True, callback=_settings, help="Any setting: --set training.loss=huber")
@click.option("--note", default="", help="A sentence on the data for the model card: origin, terms of use.")
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
    """Trains RECIPE on DATA and leaves a model bundle in OUTPUT.

    RECIPE is a shipped name (celeba-conv, lab-conv, cifar10-conv, cifar100-conv-dense, cifar10-dense, unet-lab,
    unet-lab-32, unet-lite, unet-lite-32) or a YAML file. DATA is a folder that colorize prepare made, or
    DATASET:SOURCE, as in folder:/photos or cifar10:/data/cifar-10-batches-py.
    """
    shortcuts = {"training.epochs": epochs, "training.batch_size": batch_size}
    loaded = load_recipe(recipe, {**settings, **{name: value for name, value in shortcuts.items() if value}})
    board = screen.EpochProgress(loaded.training.epochs)
    workers = Workers(num_workers, gpu)
    with board:
        done = train(
            loaded,
            data,
            output,
            workers=workers,
            resume=resume,
            note=note,
            on_epoch=board.epoch,
            on_moment=board.moment,
        )
        board.close(done)
    return DONE


if __name__ == "__main__":
    run(command)
