"""The report of an evaluation: one HTML file that loads nothing from elsewhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from colorize_core.evaluation.image_metrics import METRICS
from colorize_core.evaluation.measurements import Measurements
from colorize_core.evaluation.score import PICTURES
from colorize_core.runtime import html_template

_LONGEST_SIDE = 640  # pixels of a picture in the page
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class Example:
    """An image that the report shows: its id, its PSNR (by which it was chosen), and PNG files by name."""

    id: str
    psnr: float
    files: Mapping[str, bytes]


def render(
    facts: Mapping[str, Any],
    measurements: Mapping[str, Measurements],
    examples: Mapping[str, Mapping[str, Sequence[Example]]],
    files: Mapping[str, bytes],
    curves: Mapping[str, bytes],
) -> str:
    """Returns the HTML page of the report.

    Args:
        facts: the content of ``metrics.json``.
        measurements: the results by split.
        examples: the images to show, by split and group (best, median, worst).
        files: PNG files by name, among them ``histograms-SPLIT.png`` for each split.
        curves: a PNG with the training curves of each bundle that has one, by label.
    """
    rows = list(next(iter(measurements.values())).gains["full"])
    sections = [
        {
            "split": split,
            "facts": facts["splits"][split],
            "best": {scale: _best(rows) for scale, rows in facts["splits"][split]["tables"].items()},
            "histograms": _data_url(files[f"histograms-{split}.png"], "png"),
            "groups": {
                group: [
                    {"id": example.id, "psnr": example.psnr, "files": [_small(example.files[name]) for name in names]}
                    for example in group_examples
                ]
                for group, group_examples in examples[split].items()
            },
        }
        for split in measurements
        for names in [[*PICTURES, *rows]]
    ]
    return html_template.render(
        "colorize_core.evaluation",
        "report.html",
        facts=facts,
        metrics=METRICS,
        names=[*PICTURES, *rows],
        sections=sections,
        curves={label: _data_url(content, "png") for label, content in curves.items()},
    )


def _best(rows: Mapping[str, Any]) -> dict[str, str]:
    """Returns the row with the best mean by metric, for the metrics that have a better direction."""
    best = {}
    for metric in METRICS:
        means = {row: intervals[metric.name]["mean"] for row, intervals in rows.items()}
        known = {row: metric.better * mean for row, mean in means.items() if mean is not None}
        if metric.better and known:
            best[metric.name] = max(known, key=lambda row: known[row])
    return best


def _small(content: bytes) -> dict[str, Any]:
    """Returns a picture as a data URL for the page, and its size in pixels."""
    with Image.open(io.BytesIO(content)) as image:
        picture = image.convert("RGB")
    if max(picture.size) <= _LONGEST_SIDE // 4:  # JPEG would blur what few pixels there are
        return {"url": _data_url(content, "png"), "width": picture.width, "height": picture.height}
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return {"url": _data_url(buffer.getvalue(), "jpeg"), "width": picture.width, "height": picture.height}


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
