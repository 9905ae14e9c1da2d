"""Types of options that more than one job has."""

from __future__ import annotations

import math
from typing import Any

import click

from colorize_core.bundle import FAITHFUL, VIVID

_MAX_SATURATION = 10


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


def saturation_of(ctx: click.Context, option: click.Parameter, value: str) -> str | float:
    """Callback of an option that takes the name of a bundle's gain, or a factor of at least 0."""
    if value in (FAITHFUL, VIVID):
        return value
    try:
        return Number(_MAX_SATURATION).convert(value, option, ctx)
    except click.BadParameter as error:
        raise click.BadParameter(f"{error.message} Or write {FAITHFUL} or {VIVID}.", ctx, option) from error


FRACTION = Number(1)
