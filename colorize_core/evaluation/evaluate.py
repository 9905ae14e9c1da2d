"""``evaluate``: measures bundles on a data set, and writes metrics.json, metrics.csv and a report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import bundle, datasets, storage
from colorize_core.errors import OutputError, printable
from colorize_core.evaluation import charts, fid, report_page, row_sources, table
from colorize_core.evaluation.comparison import Candidate, Comparison
from colorize_core.evaluation.measurements import Measurements, extremes, measure_candidates
from colorize_core.evaluation.report_page import Example
from colorize_core.evaluation.score import PICTURES
from colorize_core.evaluation.survey import survey
from colorize_core.images import contact_sheet
from colorize_core.networks import Engine, advice
from colorize_core.runtime import cluster
from colorize_core.runtime.runner import RunnerName

METRICS_JSON = "metrics.json"
METRICS_CSV = "metrics.csv"
REPORT = "report.html"
_OURS = re.compile(r"metrics\.csv|report\.html|(histograms|samples)-(train|val|test)\.png")
_EXAMPLES = 4  # images in each of the groups best, median and worst

_Examples = dict[str, list[Example]]  # examples by group


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
    measurements: dict[str, Measurements]
    left_out: dict[str, list[str]]
    report: str


def evaluate(
    bundles: Sequence[str],
    data: str,
    output: str,
    *,
    splits: Sequence[str] = ("test",),
    feature_network: fid.FeatureNetwork | None = None,
    engine: Engine = "auto",
    runner: RunnerName = "auto",
    say: Callable[[str], None] = lambda line: None,
    on_split: Callable[[str, int], None] = lambda split, images: None,
    on_images: Callable[[int], None] = lambda count: None,
) -> Evaluation:
    """Measures bundles side by side on color photographs, and writes the results and a report to ``output``.

    Each photograph is made gray, colorized by each bundle, and compared with the original. The gray copy and the mean
    color of the photographs are measured too: a colorizer has to beat both.

    Args:
        bundles: each the name of a shipped bundle, or a folder or URL with one.
        data: ``DATASET:SOURCE`` as in ``folder:/photographs``, or a folder that ``prepare`` made.
        output: a new or empty folder or URL, or one with an earlier report, which is replaced.
        splits: the parts of the data to measure on, each by itself.
        feature_network: adds Fréchet distances between features of this network (FID); None for no distances.
        engine: runs the networks of the bundles: ``auto``, ``onnx`` or ``keras``.
        runner: runs the job: ``auto``, ``ray`` or ``local``.
        say: called with each line that the user should know.
        on_split: called with each split and the number of its images, before the split is measured.
        on_images: called with the number of images that were measured since the last call.

    Returns:
        The results by split, the images that were left out, and the path of the report.

    Raises:
        UserError: a bundle, the data or the output cannot be used; nothing was written.
        ColorizeError: measuring failed.

    Example:
        >>> results = evaluate(["default"], "folder:photographs", "report")
        >>> results.measurements["test"].tables["full"]["unet-lite faithful"]["psnr"].mean
        25.83
    """
    candidates, curves = _load_candidates(bundles)
    cluster.check_lasting(output)
    _check_output(output, datasets.source_of(data))
    for candidate in candidates:
        if line := advice(candidate.bundle, engine):
            say(line)
    measurements, left_out, examples = {}, {}, {}
    with row_sources.opened(runner, data, splits) as sources:
        if feature_network:
            fid.check_network(feature_network)
        surveys = {split: survey(images, split) for split, images in sources.items()}
        if feature_network:
            for found in surveys.values():
                fid.check_images(len(found.ids), feature_network)
        for split, found in surveys.items():
            on_split(split, len(found.ids))
            images = found.measurable(sources[split])
            comparison = Comparison(candidates, found.mean_ab, engine=engine)
            measurements[split] = measure_candidates(images, comparison, network=feature_network, on_images=on_images)
            examples[split] = _choose_examples(images, comparison, measurements[split])
            left_out[split] = found.left_out
    report = _write(output, data, bundles, candidates, measurements, left_out, examples, curves)
    return Evaluation(data, measurements, left_out, report)


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
    candidates = [Candidate(label, each, each.saturation) for label, each in zip(labels, bundles, strict=True)]
    curves = {label: bundle.read_curves(name) for label, name in zip(labels, names, strict=True)}
    return candidates, {label: picture for label, picture in curves.items() if picture}


def _check_output(output: str, source: str) -> None:
    """Raises OutputError if OUTPUT lies inside DATA, holds files of other programs, or cannot be written."""
    if storage.is_inside(output, source):
        raise OutputError(
            f"OUTPUT {output} lies inside DATA {source}, where its pictures would be taken for photographs: choose a "
            "place beside DATA"
        )
    if not storage.is_empty(output) and not storage.exists(storage.join(output, METRICS_JSON)):
        raise OutputError(f"OUTPUT {output} holds files that colorize did not make: choose a new or an empty folder")
    storage.check_writable(output)


@dataclass(frozen=True)
class _HasId:
    """A filter that keeps the rows with one of these ids."""

    wanted: frozenset[str]

    def __call__(self, batch: row_sources.Batch) -> NDArray[np.bool_]:
        return np.array([identity in self.wanted for identity in batch["id"]], bool)


def _choose_examples(images: row_sources.RowSource, comparison: Comparison, measured: Measurements) -> _Examples:
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


def _write(
    output: str,
    data: str,
    names: Sequence[str],
    candidates: Sequence[Candidate],
    measurements: dict[str, Measurements],
    left_out: dict[str, list[str]],
    examples: dict[str, _Examples],
    curves: dict[str, bytes],
) -> str:
    """Writes all files and returns the path of the report. ``metrics.json`` says ``writing`` until all are there."""
    facts: dict[str, Any] = {
        "status": "done",
        "data": printable(data),
        "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "bundles": [
            {"label": each.label, "name": printable(name), "digest": each.bundle.digest, "saturation": dict(each.gains)}
            for name, each in zip(names, candidates, strict=True)
        ],
        "splits": {split: each.facts() | {"left_out": left_out[split]} for split, each in measurements.items()},
    }
    columns = table.stack([each.columns for each in measurements.values()])
    files = {METRICS_CSV: table.write_csv(columns)}
    headings = [*PICTURES, *(row for each in candidates for row in each.rows)]
    for split, each in measurements.items():
        files[f"histograms-{split}.png"] = charts.histograms(each)
        shown = [example for group in examples[split].values() for example in group]
        rows = [[example.files[name] for name in headings] for example in shown]
        files[f"samples-{split}.png"] = contact_sheet.grid(rows, headings)
    files[REPORT] = report_page.render(facts, measurements, examples, files, curves).encode()
    target = storage.join(output, METRICS_JSON)
    storage.write(target, _json({"status": "writing"}))
    for entry in storage.children(output):
        if _OURS.fullmatch(entry.name):  # an earlier report, which may have had other splits
            storage.remove(entry.path)
    for name, content in files.items():
        storage.write(storage.join(output, name), content)
    storage.write(target, _json(facts))
    return storage.join(output, REPORT)


def _json(facts: Mapping[str, Any]) -> bytes:
    return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()
