"""The command ``colorize image PHOTO [RESULT]``: colorizes one photograph or a few."""

from __future__ import annotations

import click

from colorize_core.archiving.single import SingleColorizer, file_format_of, paths_of_results
from colorize_core.bundle import load_bundle
from colorize_core.errors import UserError, printable
from colorize_core.images.formats import FORMATS
from colorize_core.inference.colorizer import Colorizer
from colorize_core.networks import Engine, advice
from jobs.exits import DONE, TOO_MANY_FAILED, run
from jobs.options import ENGINE, MODEL, SATURATION, encoding_of, format_options


@click.command("image")
@click.argument("photo", nargs=-1, required=True)
@MODEL
@SATURATION
@click.option(
    "--format",
    "file_format",
    type=click.Choice(list(FORMATS)),
    help="Format of the result.  [default: that of the name of RESULT, else png]",
)
@format_options
@click.option("--recolor", is_flag=True, help="Give new colors to photographs that are in color already.")
@click.option("--force", is_flag=True, help="Overwrite RESULT, unless it is a photograph that colorize did not make.")
@ENGINE
def command(
    photo: tuple[str, ...],
    model: str,
    saturation: str | float,
    file_format: str | None,
    recolor: bool,
    force: bool,
    engine: Engine,
    **options: int | str | None,
) -> int:
    """Colorizes one photograph, or a few: colorize image PHOTO [RESULT]

    Two arguments are a photograph and the name of its result, which may be a folder. With one argument, or with three
    or more, each result is written beside its photograph as NAME.color.png. Nothing is overwritten without --force. Use
    colorize archive for folders.
    """
    pairs = paths_of_results(photo, file_format)
    chosen = file_format or file_format_of(pairs[0][1])
    encoding = encoding_of(chosen, options)
    bundle = load_bundle(model)
    if line := advice(bundle, engine):
        click.echo(line, err=True)
    colorizer = Colorizer(bundle, saturation=saturation, engine=engine)
    single = SingleColorizer(bundle, colorizer, encoding, recolor, force)
    failed = 0
    for photograph, result in pairs:
        try:
            for path in single.write(photograph, result):
                click.echo(printable(path))
        except UserError as error:
            if len(pairs) == 1:
                raise
            failed += 1
            click.echo(f"colorize: {error}", err=True)
    return TOO_MANY_FAILED if failed else DONE


if __name__ == "__main__":
    run(command)
