"""Lists of names for the end of a command's help, taken from the library's registries."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from colorize_core.datasets import DATASETS
from colorize_core.recipes import shipped_recipes

_WIDTH = 76  # columns


def name_list(heading: str, names: Iterable[str]) -> str:
    """Returns a paragraph that lists names, for the end of a command's help. No name is broken at a hyphen."""
    text = textwrap.fill(f"{heading}: {', '.join(names)}.", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return f"\b\n{text}"  # \b keeps click from wrapping the lines again


RECIPES_AND_DATA_SETS = "\n\n".join(
    [name_list("Shipped recipes", shipped_recipes()), name_list("Data sets", sorted(DATASETS))]
)
