"""``evaluate``: bundles and a data set to metrics.json, metrics.csv and a report."""

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
from colorize_core.evaluation import charts, fid, page, row_sources, table
from colorize_core.evaluation.comparison import Measurements, extremes, measure_candidates
from colorize_core.evaluation.score import PICTURES, Candidate, Comparison
from colorize_core.evaluation.survey import survey
from colorize_core.images import contact_sheet
from colorize_core.networks import Engine, advice
from colorize_core.runtime import cluster
from colorize_core.runtime.runner import RunnerName

METRICS_JSON = "metrics.json"
METRICS_CSV = "metrics.csv"
REPORT = "report.html"
_OURS = re.compile(r"metrics\.csv|report\.html|(histograms|samples)-(train|val|test)\.png")
_SHOWN = 4  # of the best, the median and the worst images each


@dataclass(frozen=True)
class Evaluation:
    """What ``evaluate`` found, by split, and where the report is."""

    data: str
    judgements: dict[str, Measurements]
    left_out: dict[str, list[str]]
    report: str


def evaluate(
    names: Sequence[str],
    data: str,
    output: str,
    *,
    splits: Sequence[str] = ("test",),
    network: fid.FeatureNetwork | None = None,
    fid_anyway: bool = False,
    engine: Engine = "auto",
    runner: RunnerName = "auto",
    say: Callable[[str], None] = lambda line: None,
    on_split: Callable[[str, int], None] = lambda split, images: None,
    on_images: Callable[[int], None] = lambda count: None,
) -> Evaluation:
    """Measures bundles side by side on ``DATASET:SOURCE`` and leaves figures and a report in ``output``.

    Args:
        names: shipped bundles, or folders with one.
        data: as in ``folder:/photographs``, or a folder that ``prepare`` made.
        output: a new or empty folder, or one with an earlier report, which is replaced.
        splits: which parts of the data, each measured alone.
        network: for Fréchet distances.
        fid_anyway: of fewer than 2,048 images too.
        engine: what runs the networks.
        runner: what runs the job.
        say: called with a line for the user when there is something to know.
        on_split: called with each split and the number of its images, before it is measured.
        on_images: called with the number of images that were measured since.

    Raises:
        UserError: a bundle, the data or the place is wrong; nothing was written.
        ColorizeError: measuring failed.
    """
    candidates, curves = _candidates(names)
    cluster.check_lasting(output)
    _check_output(output, datasets.source_of(data))
    for candidate in candidates:
        if line := advice(candidate.bundle, engine):
            say(line)
    judgements, left_out, shown = {}, {}, {}
    with row_sources.opened(runner, data, splits) as parts:
        if network:
            fid.check_network(network)
        found = {split: survey(images, split) for split, images in parts.items()}
        for each in found.values() if network else ():
            fid.check_images(len(each.ids), fid_anyway)
        for split, looked in found.items():
            on_split(split, len(looked.ids))
            images = looked.measurable(parts[split])
            match = Comparison(candidates, looked.mean_ab, engine=engine)
            judgements[split] = measure_candidates(images, match, network=network, on_images=on_images)
            shown[split] = _show(images, match, judgements[split])
            left_out[split] = looked.left_out
    report = _write(output, data, names, candidates, judgements, left_out, shown, curves)
    return Evaluation(data, judgements, left_out, report)


def _candidates(names: Sequence[str]) -> tuple[list[Candidate], dict[str, bytes]]:
    """Each with a label of its own, and their curves.

    Labels are the names of the recipes, of the folders where recipes are alike, numbered where folders are too.
    """
    loaded = [bundle.load_bundle(name) for name in names]
    labels = [each.name for each in loaded]
    if len(set(labels)) < len(labels):
        labels = [printable(name.rstrip("/").rpartition("/")[2]) for name in names]
    if len(set(labels)) < len(labels):
        labels = [f"{number} {label}" for number, label in enumerate(labels, 1)]
    made = [Candidate(label, each, each.saturation) for label, each in zip(labels, loaded, strict=True)]
    curves = {label: bundle.read_curves(name) for label, name in zip(labels, names, strict=True)}
    return made, {label: picture for label, picture in curves.items() if picture}


def _check_output(output: str, source: str) -> None:
    if storage.is_inside(output, source):
        raise OutputError(
            f"OUTPUT {output} lies inside DATA {source}: its pictures would be taken for photographs; choose a place "
            "beside it"
        )
    if not storage.is_empty(output) and not storage.exists(storage.join(output, METRICS_JSON)):
        raise OutputError(f"OUTPUT {output} holds files that colorize did not make: choose a new or an empty folder")
    storage.check_writable(output)


@dataclass(frozen=True)
class _Among:
    wanted: frozenset[str]

    def __call__(self, batch: row_sources.Batch) -> NDArray[np.bool_]:
        return np.array([identity in self.wanted for identity in batch["id"]], bool)


def _show(images: row_sources.RowSource, match: Comparison, measured: Measurements) -> dict[str, list[page.Picture]]:
    """Pictures of the images on which the first bundle is best, median and worst."""
    leader = next(iter(match.candidates[0].rows))
    groups = extremes(measured.columns, leader, _SHOWN)
    wanted = [identity for group in groups.values() for identity in group]
    few = measure_candidates(images.where(_Among(frozenset(wanted))), match, keep_pictures=wanted)
    psnr = dict(zip(measured.columns["id"], measured.columns[f"full/{leader}/psnr"], strict=True))
    return {
        group: [page.Picture(identity, float(psnr[identity]), few.pictures[identity]) for identity in identities]
        for group, identities in groups.items()
    }


def _write(
    output: str,
    data: str,
    names: Sequence[str],
    candidates: Sequence[Candidate],
    judgements: dict[str, Measurements],
    left_out: dict[str, list[str]],
    shown: dict[str, dict[str, list[page.Picture]]],
    curves: dict[str, bytes],
) -> str:
    """All files; ``metrics.json`` says ``writing`` until all are there."""
    facts: dict[str, Any] = {
        "status": "done",
        "data": printable(data),
        "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "bundles": [
            {"label": each.label, "name": printable(name), "digest": each.bundle.digest, "saturation": dict(each.gains)}
            for name, each in zip(names, candidates, strict=True)
        ],
        "splits": {split: measured.facts() | {"left_out": left_out[split]} for split, measured in judgements.items()},
    }
    columns = table.stack([measured.columns for measured in judgements.values()])
    files = {METRICS_CSV: table.write_csv(columns)}
    for split, measured in judgements.items():
        files[f"histograms-{split}.png"] = charts.histograms(measured)
        columns_shown = [*PICTURES, *(row for each in candidates for row in each.rows)]
        rows = [[each.files[name] for name in columns_shown] for group in shown[split].values() for each in group]
        files[f"samples-{split}.png"] = contact_sheet.grid(rows, columns_shown)
    files[REPORT] = page.render(facts, judgements, shown, files, curves).encode()
    target = storage.join(output, METRICS_JSON)
    storage.write(target, _json({"status": "writing"}))
    for entry in storage.children(output):
        if _OURS.fullmatch(entry.name):  # of an earlier report, perhaps of other splits
            storage.remove(entry.path)
    for name, content in files.items():
        storage.write(storage.join(output, name), content)
    storage.write(target, _json(facts))
    return storage.join(output, REPORT)


def _json(facts: Mapping[str, Any]) -> bytes:
    return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()
