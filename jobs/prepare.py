"""The command ``colorize prepare DATASET SOURCE OUTPUT``: writes a data set as shards for training."""

from __future__ import annotations

from functools import partial
from typing import get_args

import click

from colorize_core.color import ColorSpace, GrayFormula
from colorize_core.datasets import DATASETS, DataSet
from colorize_core.datasets.splits import SplitRule
from colorize_core.images.resizing import CROPS, Crop
from colorize_core.preparation import screen
from colorize_core.preparation.prepare import PrepareConfig, prepare
from colorize_core.preparation.shards import Transform
from jobs.exits import DONE, run
from jobs.help_lists import name_list
from jobs.values import FRACTION, Number

_option = partial(click.option, show_default=True)
_OWN_SIZES = ", ".join(f"{name} {each.size}" for name, each in DATASETS.items() if each.size != DataSet.size)
_DOWNLOADABLE = [name for name, each in DATASETS.items() if each.archive]
_LISTS = [name_list("Data sets", DATASETS), name_list('Data sets that take SOURCE "official"', _DOWNLOADABLE)]
_GRAY, _SPACE = click.Choice(get_args(GrayFormula)), click.Choice(get_args(ColorSpace))


@click.command("prepare", epilog="\n\n".join(_LISTS))
@click.argument("dataset", type=click.Choice(sorted(DATASETS)), metavar="DATASET")
@click.argument("source")
@click.argument("output")
@_option(
    "--size", type=click.IntRange(8, 4096), help=f"Pixels per side.  [default: {_OWN_SIZES}, others {DataSet.size}]"
)
@_option(
    "--crop",
    type=click.Choice(CROPS),
    default="center",
    help="How to make an image square: cut, pad with black, squeeze.",
)
@_option("--min-chroma", type=Number(), default=0.0, help="Leave out nearly gray images, with a lower mean chroma.")
@_option("--gray", type=_GRAY, default="luminance", help="Formula of the gray image that load_pairs returns as input.")
@_option("--color-space", type=_SPACE, default="lab", help="Color space that load_pairs returns as target.")
@_option("--val-fraction", type=FRACTION, default=0.05, help="Fraction of the images that is held back to validate.")
@_option("--test-fraction", type=FRACTION, default=0.05, help="Fraction to test on. Unused if DATASET has a test set.")
@_option("--seed", type=click.IntRange(0, 2**31), default=0, help="Another seed assigns images to other splits.")
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
    """Writes training-ready shards of the data set DATASET at SOURCE into OUTPUT.

    SOURCE is a folder or an archive as published. For some data sets it may be "official", which downloads the archive
    from its publisher. The shards keep the colors of the images: --gray and --color-space only say which pairs the
    function load_pairs computes from them. Each training recipe has its own --gray and --color-space.
    """
    record = DATASETS[dataset]
    if val_fraction + (0 if record.has_test_split else test_fraction) >= 1:
        raise click.UsageError("--val-fraction and --test-fraction leave no images to train on: lower one of them")
    transform = Transform(size or record.size, crop, min_chroma)
    rule = SplitRule(val_fraction, test_fraction, seed)
    config = PrepareConfig(dataset, source, output, transform, rule, gray, color_space)
    with screen.PrepareProgress() as progress:
        facts = prepare(config, progress.record)
    screen.show_facts(facts, output)
    return DONE


if __name__ == "__main__":
    run(command)
