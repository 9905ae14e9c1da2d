"""``make demo``: ``colorize archive`` on real photographs, and a picture of before and after."""

from __future__ import annotations

import click

from colorize_core import samples, storage
from colorize_core.archive.config import ArchiveConfig
from colorize_core.archive.job import Archive
from colorize_core.archive.screen import Terminal
from colorize_core.archive.side_by_side import write_side_by_side
from jobs.archive import colorize
from jobs.exits import DONE, TOO_MANY_FAILED, run

_SHOWN = 12  # rows of the picture


@click.command("demo")
@click.argument("output")
@click.option("--input", help="Photographs of your own; scikit-image's, with their colors removed, unless given.")
def command(output: str, input: str | None) -> int:
    """Colorizes photographs into OUTPUT and shows them side by side."""
    truths: dict[str, bytes] = {}
    photographs, results = input, output
    if photographs is None:
        photographs, results = storage.join(output, "gray"), storage.join(output, "colorized")
        truths = samples.write_gray_samples(storage.absolute(photographs))
    archive = Archive(ArchiveConfig(photographs, results, recolor=True))  # also photographs in color, to try it
    summary = colorize(archive, Terminal())
    picture = write_side_by_side(archive.listing.sources, storage.absolute(results), truths, _SHOWN)
    click.echo(f"side by side: {picture}")
    return TOO_MANY_FAILED if summary.failed else DONE


if __name__ == "__main__":
    run(command)
