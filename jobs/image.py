"""``colorize image PHOTO [RESULT]``"""

from __future__ import annotations

import click

from colorize_core import storage
from colorize_core.archiving.single import SingleColorizer, file_format_of, result_beside
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
@click.option("--format", "file_format", type=click.Choice(list(FORMATS)), help="By the name of RESULT, else png.")
@format_options("quality")
@click.option("--recolor", is_flag=True, help="Colorize also what is in color already.")
@click.option("--force", is_flag=True, help="Overwrite RESULT, unless it is a photograph of yours.")
@ENGINE
def command(
    photo: tuple[str, ...],
    model: str,
    saturation: str | float,
    file_format: str | None,
    quality: int | None,
    recolor: bool,
    force: bool,
    engine: Engine,
) -> int:
    """Colorizes one photograph, or a few: colorize image PHOTO [RESULT]

    Two arguments are a photograph and the name of its result. Without RESULT, and for three photographs or more, each
    result lies beside its photograph as NAME.color.png. RESULT may be a folder. Nothing is overwritten without --force.
    Use colorize archive for folders.
    """
    pairs = _pairs(photo, file_format)
    chosen = file_format or file_format_of(pairs[0][1])
    encoding = encoding_of(chosen, {"quality": quality})
    bundle = load_bundle(model)
    if line := advice(bundle, engine):
        click.echo(line, err=True)
    colorizer = Colorizer(bundle, saturation=bundle.gain(saturation), engine=engine)
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


def _pairs(arguments: tuple[str, ...], file_format: str | None) -> list[tuple[str, str]]:
    """Returns each photograph with the path of its result."""
    if len(arguments) == 2:
        photograph, result = arguments
        if storage.is_folder(storage.absolute(result)) or result.endswith("/"):
            name = result_beside(photograph, file_format or "png").rstrip("/").rpartition("/")[2]
            return [(photograph, storage.join(result, name))]
        if file_format and file_format_of(result) != file_format:
            raise click.UsageError(f"--format is {file_format}, and RESULT is {result}: leave one of them out")
        return [(photograph, result)]
    return [(photograph, result_beside(photograph, file_format or "png")) for photograph in arguments]


if __name__ == "__main__":
    run(command)
