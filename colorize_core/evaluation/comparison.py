"""The plan of an evaluation: the bundles to compare, the baselines that they must beat, and the scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from colorize_core.bundle import Bundle, Coloring
from colorize_core.color import GrayFormula
from colorize_core.networks import Engine

GRAY_COPY = "gray copy"
MEAN_CHROMA = "mean chroma"
FULL = "full"  # the scale of the photographs themselves
TRUTH = "truth"


@dataclass(frozen=True)
class Candidate:
    """A bundle that is measured.

    Attributes:
        label: the bundle's name in tables; no other candidate has it.
        bundle: the bundle.
        colorings: the colors that are measured, by the name that is appended to the label.
    """

    label: str
    bundle: Bundle
    colorings: Mapping[str, Coloring]

    @property
    def rows(self) -> dict[str, Coloring]:
        """Maps the name of each table row of this candidate to its colors."""
        return {self.row_of(name): coloring for name, coloring in self.colorings.items()}

    def row_of(self, coloring: str) -> str:
        """Returns the name of the table row of a name in ``colorings``."""
        return f"{self.label} {coloring}".strip()

    @property
    def own_scale(self) -> str:
        """The name of the scale at which this candidate's network sees the images."""
        return f"as {self.label} sees it"


@dataclass(frozen=True)
class Comparison:
    """The bundles of an evaluation, and the settings of their comparison.

    Attributes:
        candidates: the bundles to measure.
        mean_ab: the color (a, b) that the mean-chroma baseline gives to every pixel.
        own_scales: whether to measure each candidate also at the resolution at which its network sees the images.
        engine: name of the engine that runs the networks.
    """

    candidates: Sequence[Candidate]
    mean_ab: tuple[float, float]
    own_scales: bool = True
    engine: Engine = "auto"

    def tables(self) -> dict[str, list[str]]:
        """Returns the names of the rows of each scale's table, baselines first."""
        formulas = dict.fromkeys(each.bundle.recipe.data.gray for each in self.candidates)
        baselines = [self.baseline(name, formula) for formula in formulas for name in (GRAY_COPY, MEAN_CHROMA)]
        tables = {FULL: [*baselines, *(row for each in self.candidates for row in each.rows)]}
        if self.own_scales:
            tables |= {each.own_scale: [GRAY_COPY, MEAN_CHROMA, *each.rows] for each in self.candidates}
        return tables

    def scales_of(self, candidate: Candidate) -> list[str]:
        """Returns the scales at which a candidate is measured."""
        return [FULL, candidate.own_scale] if self.own_scales else [FULL]

    def baselines_of(self, candidate: Candidate, scale: str) -> list[str]:
        """Returns the rows that a candidate must beat: the baselines made from the gray that the candidate sees."""
        names = (GRAY_COPY, MEAN_CHROMA)
        formula = candidate.bundle.recipe.data.gray
        return [self.baseline(name, formula) for name in names] if scale == FULL else list(names)

    def baseline(self, name: str, formula: GrayFormula) -> str:
        """Returns the name of a baseline's row at full resolution, with the formula if candidates use several."""
        several = len({each.bundle.recipe.data.gray for each in self.candidates}) > 1
        return f"{name} ({formula})" if several else name


def column(scale: str, row: str, metric: str) -> str:
    """Returns the name of the column with one metric of one table row."""
    return f"{scale}/{row}/{metric}"


def doubt_column(label: str) -> str:
    """Returns the name of the column with the doubt of a candidate."""
    return f"doubt/{label}"
