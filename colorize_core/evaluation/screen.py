"""Terminal output of an evaluation: a progress bar on a terminal, plain lines elsewhere, and tables at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from colorize_core.evaluation.comparison import FULL
from colorize_core.evaluation.listener import EvaluationListener
from colorize_core.runtime.progress_bar import ProgressBar

if TYPE_CHECKING:
    from colorize_core.evaluation.evaluate import Evaluation

_SHOWN = (("psnr", "PSNR (dB)", 2), ("mse", "MSE", 4), ("ssim", "SSIM", 3), ("ciede2000", "CIEDE2000", 2))
_LEFT_OUT_SHOWN = 5


class EvaluationProgress(ProgressBar, EvaluationListener):
    """Progress of an evaluation: a bar on a terminal, a line every ten seconds elsewhere.

    Args:
        say: shows a line that the user should know.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(
            TextColumn("measuring {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("images"),
            TimeRemainingColumn(),
        )
        self._say = say
        self._task = self.bar.add_task("", total=None)

    def advice(self, line: str) -> None:
        """Shows a line that the user should know."""
        self._say(line)

    def split(self, name: str, images: int) -> None:
        """Begins a split with this number of images."""
        self.bar.reset(self._task, total=images, description=name)

    def images(self, count: int) -> None:
        """Counts images as measured."""
        self.bar.advance(self._task, count)
        if self.is_line_due():
            task = self.bar.tasks[0]
            self.console.print(f"{task.description}: {task.completed:.0f}/{task.total:.0f} images", soft_wrap=True)

    def close(self, results: Evaluation) -> None:
        """Shows the tables, the images that were left out, and the path of the report."""
        for split, measured in results.measurements.items():
            title = f"{results.data}, {split}: {measured.images} images"
            show_measurements(self.console, measured.facts(), title)
            left_out = results.left_out[split]
            for reason in left_out[:_LEFT_OUT_SHOWN]:
                self.console.print(f"left out: {reason}", soft_wrap=True, markup=False)
            if len(left_out) > _LEFT_OUT_SHOWN:
                self.console.print(f"left out: {len(left_out) - _LEFT_OUT_SHOWN} more")
        self.console.print(f"report: {results.report}", soft_wrap=True, markup=False)


def show_measurements(console: Console, facts: Mapping[str, Any], title: str) -> None:
    """Prints the table at full resolution of ``Measurements.facts``, and the bundles that do not beat the baselines."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    distances = facts.get("feature_distances", {})
    for _, heading, _ in _SHOWN:
        table.add_column(heading, justify="right")
    table.add_column("colorfulness", justify="right")
    if distances:
        table.add_column("Fréchet distance", justify="right")
    for label, row in facts["tables"][FULL].items():
        shown = [_number(row[name]["mean"], digits) for name, _, digits in _SHOWN]
        more = [_number(distances[label], 1)] if distances else []
        table.add_row(label, *shown, _number(row["colorfulness"]["mean"], 1), *more)
    nothing = [""] * len(_SHOWN)
    table.add_row("truth", *nothing, _number(facts["truth"]["colorfulness"]["mean"], 1), *([""] if distances else []))
    console.print(table)
    for label, quality in facts.get("doubt", {}).items():
        console.print(_doubt_line(label, quality), soft_wrap=True, markup=False)
    sentences = (
        ("not_beaten", "{} does not beat the {}"),
        ("unproven", "{} beats the {} on average, but this may be chance"),
    )
    for key, sentence in sentences:
        for scale, rows in facts[key].items():
            where = "" if scale == FULL else f"{scale}: "
            for label, names in rows.items():
                if names:
                    line = where + sentence.format(label, " and the ".join(names))
                    console.print(line, soft_wrap=True, markup=False)


def _doubt_line(label: str, quality: Mapping[str, Any]) -> str:
    """Returns how well doubt ranks the errors: the rank correlation, and expected and true errors of each quarter."""
    groups = ", ".join(f"{group['doubt']:.1f} / {group['error']:.1f}" for group in quality["groups"])
    return (
        f"doubt of {label}: rank correlation with the error {_number(quality['spearman'], 2) or 'unknown'}; "
        f"doubt / RMSE of ab in quarters of the images: {groups}"
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
