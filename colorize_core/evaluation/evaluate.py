"""``evaluate``: bundles and a data set to metrics.json, metrics.csv and a report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from colorize_core import bundle, cluster, datasets, storage
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import OutputError
from colorize_core.evaluation import charts, fid, page, pictures, table
from colorize_core.evaluation.judge import Judgement, extremes, judge
from colorize_core.evaluation.score import PICTURES, Contestant, Match
from colorize_core.evaluation.survey import survey

if TYPE_CHECKING:
    import ray.data

METRICS_JSON = "metrics.json"
METRICS_CSV = "metrics.csv"
REPORT = "report.html"
_SHOWN = 4  # of the best, the median and the worst images each


@dataclass(frozen=True)
class Evaluation:
    """What ``evaluate`` found, by split, and where the report is."""

    data: str
    judgements: dict[str, Judgement]
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
    on_split: Callable[[str, int], None] = lambda split, images: None,
    on_images: Callable[[int], None] = lambda count: None,
) -> Evaluation:
    """Measures bundles side by side on ``DATASET:SOURCE`` and leaves figures and a report in ``output``.

    Runs on the cluster that ``cluster.connected`` finds.

    Args:
        names: shipped bundles, or folders with one.
        data: as in ``folder:/photographs``, or a folder that ``prepare`` made.
        output: a new or empty folder, or one with an earlier report, which is replaced.
        splits: which parts of the data, each measured alone.
        network: for Fréchet distances.
        fid_anyway: of fewer than 2,048 images too.
        on_split: called with each split and the number of its images, before it is measured.
        on_images: called with the number of images that were measured since.

    Raises:
        UserError: a bundle, the data or the place is wrong; nothing was written.
        ColorizeError: measuring failed.
    """
    contestants, curves = _contestants(names)
    cluster.check_lasting(output)
    _check_output(output, datasets.source_of(data))
    judgements, left_out, shown = {}, {}, {}
    with cluster.connected(), cluster.explained("measuring failed"):
        parts = {split: datasets.read(data, SplitRule(wanted=[split])) for split in splits}
        if network:
            fid.check_network(network)
        for split, images in parts.items():
            found = survey(images, split)
            left_out[split] = found.left_out
            if network:
                fid.check_images(len(found.ids), fid_anyway)
            on_split(split, len(found.ids))
            match = Match(contestants, found.mean_ab)
            judged = judge(images, match, network=network, on_images=on_images)
            judgements[split] = judged
            shown[split] = _show(images, match, judged)
    report = _write(output, data, contestants, judgements, left_out, shown, curves)
    return Evaluation(data, judgements, left_out, report)


def _contestants(names: Sequence[str]) -> tuple[list[Contestant], dict[str, bytes]]:
    """Each with a label of its own: the bundle's name, with a number where several share it; and their curves."""
    made: list[Contestant] = []
    curves: dict[str, bytes] = {}
    for name in names:
        loaded = bundle.load_bundle(name)
        taken = {each.label for each in made}
        labels = [loaded.name, *(f"{loaded.name} {number}" for number in range(2, len(names) + 2))]
        label = next(label for label in labels if label not in taken)
        made.append(Contestant(label, loaded, loaded.saturation))
        if picture := bundle.read_curves(name):
            curves[label] = picture
    return made, curves


def _check_output(output: str, source: str) -> None:
    if storage.is_inside(output, source):
        raise OutputError(
            f"OUTPUT {output} lies inside DATA {source}: its pictures would be taken for photographs; choose a place "
            "beside it"
        )
    if not storage.exists(storage.join(output, METRICS_JSON)) and not storage.is_empty(output):
        raise OutputError(f"OUTPUT {output} holds files that colorize did not make: choose a new or an empty folder")
    storage.check_writable(output)


def _show(images: ray.data.Dataset, match: Match, judged: Judgement) -> dict[str, list[page.Picture]]:
    """Pictures of the images on which the first bundle is best, median and worst."""
    from ray.data.expressions import col

    leader = next(iter(match.contestants[0].rows))
    groups = extremes(judged.columns, leader, _SHOWN)
    wanted = [identity for group in groups.values() for identity in group]
    few = judge(images.filter(expr=col("id").is_in(wanted)), match, keep_pictures=wanted)
    psnr = dict(zip(judged.columns["id"], judged.columns[f"full/{leader}/psnr"], strict=True))
    return {
        group: [page.Picture(identity, float(psnr[identity]), few.pictures[identity]) for identity in identities]
        for group, identities in groups.items()
    }


def _write(
    output: str,
    data: str,
    contestants: Sequence[Contestant],
    judgements: dict[str, Judgement],
    left_out: dict[str, list[str]],
    shown: dict[str, dict[str, list[page.Picture]]],
    curves: dict[str, bytes],
) -> str:
    """All files; ``metrics.json`` comes last."""
    facts = {
        "data": data,
        "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "bundles": [
            {"label": each.label, "digest": each.bundle.digest, "saturation": dict(each.gains)} for each in contestants
        ],
        "splits": {split: judged.facts() | {"left_out": left_out[split]} for split, judged in judgements.items()},
    }
    columns = table.stack([judged.columns for judged in judgements.values()])
    files = {METRICS_CSV: table.write_csv(columns)}
    for split, judged in judgements.items():
        files[f"histograms-{split}.png"] = charts.histograms(judged)
        names = [*PICTURES, *(row for each in contestants for row in each.rows)]
        rows = [[picture.files[name] for name in names] for group in shown[split].values() for picture in group]
        files[f"samples-{split}.png"] = pictures.grid(rows, names)
    files[REPORT] = page.render(facts, judgements, shown, files, curves).encode()
    files[METRICS_JSON] = (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape")
    for name, content in files.items():
        storage.write(storage.join(output, name), content)
    return storage.join(output, REPORT)
