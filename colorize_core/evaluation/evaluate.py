"""``evaluate``: measures bundles on a data set, and writes metrics.json, metrics.csv and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from colorize_core import bundle, datasets
from colorize_core.errors import printable
from colorize_core.evaluation import fid, report_files, row_sources
from colorize_core.evaluation.comparison import Candidate, Comparison
from colorize_core.evaluation.config import EvaluateConfig
from colorize_core.evaluation.image_rows import ReadImage
from colorize_core.evaluation.listener import EvaluationListener
from colorize_core.evaluation.measurements import Measurements, extremes, measure_candidates
from colorize_core.evaluation.report_files import Examples, Report
from colorize_core.evaluation.report_page import Example
from colorize_core.evaluation.row_sources import Rows
from colorize_core.evaluation.survey import survey
from colorize_core.inference.predictor import Networks
from colorize_core.networks import advice
from colorize_core.runtime import cluster

_EXAMPLES = 4  # images in each of the groups best, median and worst
_SILENT = EvaluationListener()


@dataclass(frozen=True)
class Evaluation:
    """The results of ``evaluate``.

    Attributes:
        data: the data set, as it was given.
        measurements: the results by split.
        left_out: one line for each image that was not measured, by split.
        report: path of the HTML page.
    """

    data: str
    measurements: Mapping[str, Measurements]
    left_out: Mapping[str, Sequence[str]]
    report: str


def evaluate(config: EvaluateConfig, listener: EvaluationListener = _SILENT) -> Evaluation:
    """Measures bundles side by side on color photographs, and writes the results and a report.

    Each photograph is made gray, colorized by each bundle, and compared with the original. The gray copy and the mean
    color of the photographs are measured too: a colorizer has to beat both.

    Args:
        config: what to measure, on which photographs, and how.
        listener: receives the progress.

    Returns:
        The results by split, the images that were left out, and the path of the report.

    Raises:
        UserError: a bundle, the data or the output cannot be used; nothing was written.
        ColorizeError: measuring failed.

    Example:
        >>> results = evaluate(EvaluateConfig(["default"], "folder:photographs", "report"))
        >>> results.measurements["test"].tables["full"]["unet-lite2 faithful"]["psnr"].mean
        23.65
    """
    candidates, curves = _load_candidates(config.bundles)
    cluster.check_lasting(config.output)
    report_files.check_output(config.output, datasets.source_of(config.data))
    for candidate in candidates:
        if line := advice(candidate.bundle, config.engine):
            listener.advice(line)
    measurements, left_out, examples = {}, {}, {}
    network = config.feature_network
    engines = Networks([each.bundle for each in candidates], engine=config.engine).engines()
    with row_sources.opened(config.runner, config.data, config.splits, engines) as sources:
        if network:
            fid.check_network(network)
        surveys = {split: survey(images, split) for split, images in sources.items()}
        if network:
            for surveyed in surveys.values():
                fid.check_images(len(surveyed.ids), network)
        for split, surveyed in surveys.items():
            listener.split(split, len(surveyed.ids))
            images = surveyed.measurable(sources[split])
            comparison = Comparison(candidates, surveyed.mean_ab, engine=config.engine)
            measurements[split] = measure_candidates(images, comparison, network=network, on_images=listener.images)
            examples[split] = _choose_examples(images, comparison, measurements[split])
            left_out[split] = surveyed.left_out
    report = Report(config.data, config.bundles, candidates, curves, measurements, left_out, examples)
    return Evaluation(config.data, measurements, left_out, report.write(config.output))


def _load_candidates(names: Sequence[str]) -> tuple[list[Candidate], dict[str, bytes]]:
    """Returns the candidates, each with a label of its own, and their training curves as PNG by label.

    A label is the name of the bundle's recipe. If two are equal, labels are the names of the folders; if two of these
    are equal, they are numbered.
    """
    bundles = [bundle.load_bundle(name) for name in names]
    labels = [each.name for each in bundles]
    if len(set(labels)) < len(labels):
        labels = [printable(name.rstrip("/").rpartition("/")[2]) for name in names]
    if len(set(labels)) < len(labels):
        labels = [f"{number} {label}" for number, label in enumerate(labels, 1)]
    candidates = [Candidate(label, each, each.colorings()) for label, each in zip(labels, bundles, strict=True)]
    curves = {label: bundle.read_curves(name) for label, name in zip(labels, names, strict=True)}
    return candidates, {label: picture for label, picture in curves.items() if picture}


@dataclass(frozen=True)
class _HasId:
    """A filter that keeps the images with one of these ids."""

    wanted: frozenset[str]

    def __call__(self, image: ReadImage) -> bool:
        return image.id in self.wanted


def _choose_examples(images: Rows[ReadImage], comparison: Comparison, measured: Measurements) -> Examples:
    """Returns pictures of the images on which the first row of the first candidate is best, median and worst."""
    leader = next(iter(comparison.candidates[0].rows))
    groups = extremes(measured.columns, leader, _EXAMPLES)
    wanted = [identity for group in groups.values() for identity in group]
    again = measure_candidates(images.where(_HasId(frozenset(wanted))), comparison, keep_pictures=wanted)
    psnr = dict(zip(measured.columns["id"], measured.columns[f"full/{leader}/psnr"], strict=True))
    return {
        group: [Example(identity, float(psnr[identity]), again.pictures[identity]) for identity in identities]
        for group, identities in groups.items()
    }
