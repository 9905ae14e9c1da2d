"""Types of options that more than one job has."""

from __future__ import annotations

from typing import Any

import click


class Fraction(click.FloatRange):
    """A number in [0, 1]."""

    name = "fraction"

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; ``nan`` is none: no comparison with it holds, so it would pass as in range."""
        number = float(super().convert(value, param, ctx))
        if number != number:
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number
