"""``colorize prepare DATASET SOURCE OUTPUT``"""

from __future__ import annotations

from typing import get_args

import click

from colorize_core.color import ColorSpace, GrayFormula
from colorize_core.datasets import PLANNERS
from colorize_core.datasets.splits import SplitRule
from colorize_core.images.resizing import CROPS, Crop
from colorize_core.preparation import screen
from colorize_core.preparation.prepare import PrepareConfig, prepare
from colorize_core.preparation.shards import Transform
from jobs.exits import DONE, run
from jobs.values import FRACTION, Number

_SIZES = {"cifar10": 32, "cifar100": 32}
_SIZE = 128
_HAVE_TEST = ("celeba", "cifar10", "cifar100")


@click.command("prepare")
@click.argument("dataset", type=click.Choice(sorted(PLANNERS)))
@click.argument("source")
@click.argument("output")
@click.option("--size", type=click.IntRange(8, 4096), help="Pixels on a side; 32 for CIFAR, else 128.")
@click.option(
    "--crop",
    type=click.Choice(CROPS),
    default="center",
    show_default=True,
    help="How an image is made square: cut, padded with black, squeezed.",
)
@click.option(
    "--min-chroma", type=Number(), default=0.0, show_default=True, help="Leave out images of lower mean chroma (ab)."
)
@click.option(
    "--gray",
    type=click.Choice(get_args(GrayFormula)),
    default="luminance",
    show_default=True,
    help="Input of load_pairs.",
)
@click.option(
    "--color-space",
    type=click.Choice(get_args(ColorSpace)),
    default="lab",
    show_default=True,
    help="Target of load_pairs.",
)
@click.option("--val-fraction", type=FRACTION, default=0.05, show_default=True, help="Part held back to validate.")
@click.option("--test-fraction", type=FRACTION, default=0.05, show_default=True, help="Unless DATASET has a test set.")
@click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True, help="Another one splits anew.")
def command(
    dataset: str,
    source: str,
    output: str,
    size: int | None,
    crop: Crop,
    min_chroma: float,
    gray: GrayFormula,
    color_space: ColorSpace,
    val_fraction: float,
    test_fraction: float,
    seed: int,
) -> int:
    """Makes training-ready shards of DATASET, found at SOURCE, in OUTPUT.

    SOURCE is a folder or an archive as published; for cifar10 and cifar100 also "official", which fetches it. The
    pixels are stored as they are: --gray and --color-space say which pairs load_pairs makes of them, a recipe has its
    own.
    """
    if val_fraction + (0 if dataset in _HAVE_TEST else test_fraction) >= 1:
        raise click.UsageError("--val-fraction and --test-fraction leave nothing to learn from: lower one of them")
    config = PrepareConfig(
        dataset,
        source,
        output,
        Transform(size or _SIZES.get(dataset, _SIZE), crop, min_chroma),
        SplitRule(val_fraction, test_fraction, seed),
        gray,
        color_space,
    )
    with screen.PrepareProgress() as board:
        facts = prepare(config, board.record)
    screen.show_facts(facts, output)
    return DONE


if __name__ == "__main__":
    run(command)
