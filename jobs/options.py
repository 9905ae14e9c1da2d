"""Command-line options that several jobs share, and the options of the image formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click
from click.decorators import FC

from colorize_core.archiving.stages.sinks.formats import OUTPUT_FORMATS
from colorize_core.bundle import FAITHFUL, VIVID
from colorize_core.images.encode import Encoding
from colorize_core.images.formats import OPTIONS, names_with
from colorize_core.networks import ENGINE_CHOICES, ENGINES
from colorize_core.runtime.runner import RUNNERS
from jobs import values

MODEL = click.option("--model", default="default", show_default=True, help="A shipped bundle, or a folder with one.")
SATURATION = click.option(
    "--saturation",
    callback=values.saturation,
    metavar=f"{FAITHFUL}|{VIVID}|NUMBER",
    default=FAITHFUL,
    show_default=True,
    help="Strength of the colors: as the network predicts, nearer to that of real photographs, or a factor.",
)
ENGINE = click.option(
    "--engine",
    type=click.Choice(ENGINE_CHOICES),
    default="auto",
    show_default=True,
    help=f"What runs the network. auto: the first of {', '.join(ENGINES)} that the bundle has a network for and, on a "
    "GPU of a Ray cluster, that can use the GPU.",
)


def runner_option(small: str) -> Callable[[FC], FC]:
    """Returns the option ``--runner`` of a job; ``small`` describes the work for which ``auto`` means ``local``."""
    return click.option(
        "--runner",
        type=click.Choice(RUNNERS),
        default="auto",
        show_default=True,
        help=f"Run on Ray, or without it on this machine. auto: local for {small} when RAY_ADDRESS names no cluster.",
    )


def format_options(command: FC) -> FC:
    """Adds the options of the image formats to a command."""
    for name in reversed(OPTIONS):  # the decorator that is applied last is shown first
        option, allowed = OPTIONS[name], OPTIONS[name].allowed
        kind = click.IntRange(allowed[0], allowed[-1]) if isinstance(allowed, range) else click.Choice(allowed)
        text = f"{option.help} For {' and '.join(names_with(name))}.  [default: {option.default}]"
        command = click.option(_flag(name), type=kind, help=text)(command)
    return command


def encoding_of(file_format: str, given: Mapping[str, int | str | None]) -> Encoding:
    """Returns the encoding of the images for ``--format``. For a shard format, it is that of the images in the shards.

    Args:
        file_format: the value of ``--format``.
        given: values of ``format_options`` by name, None where the command line has none.

    Raises:
        UsageError: an option is for another format.
    """
    inner = OUTPUT_FORMATS[file_format].image_format
    options = {name: value for name, value in given.items() if value is not None}
    for name in options:
        if inner not in names_with(name):
            raise click.UsageError(
                f"{_flag(name)} is for {' and '.join(names_with(name))}: the format is {file_format}"
            )
    return Encoding(inner, **options)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
