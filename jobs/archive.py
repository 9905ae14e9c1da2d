"""``colorize archive INPUT OUTPUT``"""

from __future__ import annotations

import click

from colorize_core.archive import screen
from colorize_core.archive.pipeline import OUTPUT_FORMATS, Archive, ArchiveConfig, OutputFormat
from colorize_core.bundle import FAITHFUL, VIVID
from jobs.exits import DONE, TOO_MANY_FAILED, run
from jobs.options import FRACTION, saturation_of


@click.command("archive")
@click.argument("input")
@click.argument("output")
@click.option("--model", default="default", show_default=True, help="A shipped bundle, or a folder with one.")
@click.option("--format", "file_format", type=click.Choice(OUTPUT_FORMATS), default="png", show_default=True)
@click.option(
    "--saturation",
    callback=saturation_of,
    metavar=f"{FAITHFUL}|{VIVID}|NUMBER",
    default=FAITHFUL,
    show_default=True,
    help="Chroma: faithful to the network, vivid as true photographs are on average, or a factor.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--retry-failed", is_flag=True, help="Try again what failed in an earlier run.")
@click.option("--limit", type=click.IntRange(1), help="Colorize at most so many photographs.")
@click.option(
    "--max-failed",
    type=FRACTION,
    default=0.0,
    show_default=True,
    help="Exit with status 3 when more than this part of the photographs failed.",
)
def command(
    input: str,
    output: str,
    model: str,
    file_format: OutputFormat,
    saturation: str | float,
    dry_run: bool,
    retry_failed: bool,
    limit: int | None,
    max_failed: float,
) -> int:
    """Colorizes the photographs of INPUT at full resolution into OUTPUT.

    INPUT is a folder (with all below it), a glob or an image file. A second run does what the first left undone.
    """
    archive = Archive(ArchiveConfig(input, output, model, file_format, retry_failed, limit, saturation))
    screen.show_plan(archive)
    if dry_run:
        return DONE
    try:
        with screen.ArchiveBoard(len(archive.plan.todo)) as board:
            summary = archive.run(board.row)
    except KeyboardInterrupt:
        click.echo("what was finished is kept: the same command goes on from there", err=True)
        raise
    screen.show_summary(summary, output)
    return DONE if summary.is_within(max_failed) else TOO_MANY_FAILED


if __name__ == "__main__":
    run(command)
