"""The command ``colorize evaluate BUNDLE... DATA OUTPUT``: measures bundles on a data set."""

from __future__ import annotations

import click

from colorize_core.datasets.splits import SPLITS
from colorize_core.evaluation import fid, screen
from colorize_core.evaluation.config import EvaluateConfig
from colorize_core.evaluation.evaluate import evaluate
from colorize_core.evaluation.row_sources import LOCAL_CHUNKS
from colorize_core.networks import Engine
from colorize_core.runtime.runner import RunnerName
from jobs.exits import DONE, run
from jobs.options import ENGINE, runner_option


@click.command("evaluate")
@click.argument("bundle", nargs=-1, required=True)
@click.argument("data")
@click.argument("output")
@click.option(
    "--split",
    "splits",
    type=click.Choice(SPLITS),
    multiple=True,
    default=("test",),
    show_default=True,
    help="Part of DATA to measure on. Give the option twice to measure two parts, each by itself.",
)
@click.option("--fid-weights", help="Add the Fréchet distance (FID): weights for --fid-network, or imagenet.")
@click.option(
    "--fid-network",
    default=fid.NETWORK,
    show_default=True,
    help="The network of keras.applications whose features are compared.",
)
@click.option("--fid-anyway", is_flag=True, help=f"Compute FID also for fewer than {fid.MIN_IMAGES} images.")
@runner_option(f"small DATA, up to about {256 * LOCAL_CHUNKS:,} photographs of a folder,")
@ENGINE
def command(
    bundle: tuple[str, ...],
    data: str,
    output: str,
    splits: tuple[str, ...],
    fid_weights: str | None,
    fid_network: str,
    fid_anyway: bool,
    runner: RunnerName,
    engine: Engine,
) -> int:
    """Measures each BUNDLE on the color photographs of DATA, beside the gray copy and the mean chroma.

    BUNDLE is a shipped name (default) or a folder with a bundle; several are compared side by side. DATA is what
    colorize train takes. The command writes metrics.json, metrics.csv with a row per image, report.html and pictures
    to OUTPUT.
    """
    min_images = 2 if fid_anyway else fid.MIN_IMAGES
    feature_network = fid.FeatureNetwork(fid_weights, fid_network, min_images) if fid_weights else None
    config = EvaluateConfig(bundle, data, output, splits, feature_network, engine, runner)
    with screen.EvaluationProgress(lambda line: click.echo(line, err=True)) as progress:
        results = evaluate(config, progress)
    progress.close(results)
    return DONE


if __name__ == "__main__":
    run(command)
