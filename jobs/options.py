"""What stands on a command line, to values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click

from colorize_core.archiving.stages.finish import OutputFormat
from colorize_core.bundle import FAITHFUL, VIVID
from colorize_core.images.encode import FORMATS_WITH, Encoding, FileFormat
from colorize_core.images.formats.tiff_file import Compression
from colorize_core.networks import ENGINE_CHOICES
from colorize_core.runtime.runner import RUNNERS

_MAX_SATURATION = 10
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Number(click.FloatRange):
    """A finite number of at least 0."""

    def __init__(self, largest: float | None = None) -> None:
        super().__init__(0, largest)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; ``nan`` is none: no comparison with it holds, so it would pass as in range."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class Period(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A length of time: ``15m``, ``1h`` or ``1d``."""

    name = "period"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Of at least a minute."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([1-9]\d{0,3})([mhd])", value)
        if not found:
            self.fail(f"{value!r} is no period: write 15m, 1h or 1d.", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


def saturation_of(ctx: click.Context, option: click.Parameter, value: str) -> str | float:
    """Callback of an option that takes the name of a bundle's gain, or a factor of at least 0."""
    if value in (FAITHFUL, VIVID):
        return value
    try:
        return Number(_MAX_SATURATION).convert(value, option, ctx)
    except click.BadParameter as error:
        raise click.BadParameter(f"{error.message} Or write {FAITHFUL} or {VIVID}.", ctx, option) from error


FRACTION = Number(1)

MODEL = click.option("--model", default="default", show_default=True, help="A shipped bundle, or a folder with one.")
SATURATION = click.option(
    "--saturation",
    callback=saturation_of,
    metavar=f"{FAITHFUL}|{VIVID}|NUMBER",
    default=FAITHFUL,
    show_default=True,
    help="Chroma: faithful to the network, vivid as true photographs are on average, or a factor.",
)
ENGINE = click.option(
    "--engine",
    type=click.Choice(ENGINE_CHOICES),
    default="auto",
    show_default=True,
    help="What runs the network: ONNX Runtime or Keras (TensorFlow). auto: ONNX Runtime when the bundle has an ONNX "
    "file; on a GPU of a Ray cluster that ONNX Runtime cannot use, Keras.",
)


def runner_option(small: str) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """Returns the option ``--runner`` of a job; ``small`` says for which work ``auto`` is ``local``."""
    return click.option(
        "--runner",
        type=click.Choice(RUNNERS),
        default="auto",
        show_default=True,
        help=f"Run on Ray, or without it on this machine. auto: local for {small} when RAY_ADDRESS names no cluster.",
    )


def encoding_of(
    file_format: OutputFormat, quality: int | None, png_level: int | None, tiff_compression: Compression | None
) -> Encoding:
    """Of the images that ``file_format`` has. Raises UsageError where an option is for another format."""
    inner: FileFormat = "png" if file_format == "parquet" or file_format == "tar" else file_format
    given = {"quality": quality, "png_level": png_level, "tiff_compression": tiff_compression}
    for name, formats in FORMATS_WITH.items():
        if given[name] is not None and inner not in formats:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is for {' and '.join(formats)}: --format is {file_format}")
    return Encoding(
        inner,
        quality or Encoding.quality,
        Encoding.png_level if png_level is None else png_level,
        tiff_compression or Encoding.tiff_compression,
    )
