"""The command ``colorize export BUNDLE OUTPUT``: writes a bundle's network for other programs."""

from __future__ import annotations

from typing import Literal

import click

from colorize_core.networks.export import EXPORT_FORMATS, ExportFormat, export
from jobs.exits import DONE, run


@click.command("export")
@click.argument("bundle")
@click.argument("output")
@click.option(
    "--format",
    "file_format",
    type=click.Choice((*EXPORT_FORMATS, "bundle")),
    default="onnx",
    show_default=True,
    help="What to write: an ONNX file, a TensorFlow SavedModel, or a bundle of format 2.",
)
def command(bundle: str, output: str, file_format: ExportFormat | Literal["bundle"]) -> int:
    """Writes the network of BUNDLE for ONNX Runtime or TensorFlow.

    BUNDLE is a shipped name (default) or a folder with a bundle. OUTPUT is a new or empty folder; for onnx also a new
    file that ends in .onnx. A JSON file beside the network says how to prepare its input and how to use its output.
    --format bundle converts a bundle of format 1, which has no ONNX file and starts slowly, to format 2.
    """
    exported = export(bundle, output, file_format)
    facts = exported.facts
    click.echo(
        f"{facts['bundle']} {facts['digest'][:12]} as {file_format}: {exported.size / 1e6:.1f} MB, "
        f"differs from Keras by at most {facts['compared']['max_abs_difference']:.1e}"
        + (" (compared when it was trained)" if file_format == "onnx" else "")
    )
    click.echo(f"{'bundle' if file_format == 'bundle' else 'model'}: {exported.path}")
    if file_format != "bundle":
        click.echo(f"how to use it: {exported.facts_path}")
    return DONE


if __name__ == "__main__":
    run(command)
