"""The command behind ``make demo``: colorizes sample photographs and shows them before and after."""

from __future__ import annotations

import click

from colorize_core import storage
from colorize_core.archiving.config import ArchiveConfig
from colorize_core.archiving.gallery.side_by_side import write_side_by_side
from colorize_core.archiving.job import ArchiveJob
from colorize_core.archiving.reporting.screen import TerminalReporter
from colorize_core.datasets import samples
from jobs.archive import colorize
from jobs.exits import DONE, TOO_MANY_FAILED, run

_SHOWN = 12  # photographs in the picture


@click.command("demo")
@click.argument("output")
@click.option("--input", help="Your own photographs.  [default: those of scikit-image, with their colors removed]")
def command(output: str, input: str | None) -> int:
    """Colorizes photographs into OUTPUT and shows them side by side."""
    truths: dict[str, bytes] = {}
    photographs, results = input, output
    if photographs is None:
        photographs, results = storage.join(output, "gray"), storage.join(output, "colorized")
        truths = samples.write_gray_samples(storage.absolute(photographs))
    job = ArchiveJob(ArchiveConfig(photographs, results, recolor=True))  # own photographs may be in color
    summary = colorize(job, TerminalReporter())
    picture = write_side_by_side(job.listing.sources, results, truths, _SHOWN)
    click.echo(f"side by side: {picture}")
    return TOO_MANY_FAILED if summary.failed else DONE


if __name__ == "__main__":
    run(command)
