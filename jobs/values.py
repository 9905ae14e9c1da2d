"""Parsers for command-line values: numbers, periods, saturation and settings of a recipe."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Any

import click
import yaml

from colorize_core.bundle import FAITHFUL, VIVID
from colorize_core.errors import one_line

_MAX_SATURATION = 10
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Number(click.FloatRange):
    """A finite number of at least 0, and at most ``largest``."""

    def __init__(self, largest: float | None = None) -> None:
        super().__init__(0, largest)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Returns the number. Refuses ``nan``, which passes every check of a range because no comparison holds."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class Period(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A length of time of at least a minute: ``15m``, ``1h`` or ``1d``."""

    name = "period"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Returns the period as a ``timedelta``."""
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"([1-9]\d{0,3})([mhd])", value)
        if not match:
            self.fail(f"{value!r} is not a period: write 15m, 1h or 1d.", param, ctx)
        return timedelta(**{_UNITS[match[2]]: int(match[1])})


FRACTION = Number(1)


def saturation(ctx: click.Context, option: click.Parameter, value: str) -> str | float:
    """Returns a saturation: the name of a gain of the bundle, or a factor from 0 to 10. For click, as a callback."""
    if value in (FAITHFUL, VIVID):
        return value
    try:
        return Number(_MAX_SATURATION).convert(value, option, ctx)
    except click.BadParameter as error:
        raise click.BadParameter(f"{error.message} Or write {FAITHFUL} or {VIVID}.", ctx, option) from error


def recipe_settings(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Returns settings of a recipe by name from ``section.key=value``. For click, as a callback."""
    pairs = [value.partition("=") for value in values]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise click.BadParameter("write it as section.key=value, such as training.loss=huber")
    try:
        return {name: yaml.safe_load(value) for name, _, value in pairs}
    except yaml.YAMLError as error:
        raise click.BadParameter(f"not a YAML value: {one_line(error)}") from error
