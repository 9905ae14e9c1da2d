"""``make demo``: ``colorize archive`` on real photographs, and a picture of before and after."""

from __future__ import annotations

import click

from colorize_core import samples, storage
from colorize_core.archive import gallery, screen
from colorize_core.archive.pipeline import Archive, ArchiveConfig
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
    archive = Archive(ArchiveConfig(photographs, results))
    screen.show_plan(archive)
    with screen.ArchiveBoard(len(archive.plan.todo)) as board:
        summary = archive.run(board.row)
    screen.show_summary(summary, results)
    picture = gallery.write_side_by_side(archive.listing.sources[:_SHOWN], storage.absolute(results), truths)
    click.echo(f"side by side: {picture}")
    return TOO_MANY_FAILED if summary.failed else DONE


if __name__ == "__main__":
    run(command)
