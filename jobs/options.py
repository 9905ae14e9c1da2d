"""Types of options that more than one job has."""

from __future__ import annotations

import math
from typing import Any

import click


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


FRACTION = Number(1)
