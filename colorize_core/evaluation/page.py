"""The report: one HTML page that needs no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from colorize_core.evaluation.comparison import Measurements
from colorize_core.evaluation.measure import METRICS
from colorize_core.evaluation.score import PICTURES

_SIDE = 640  # pixels that the long side of a picture may take
_QUALITY = 90


@dataclass(frozen=True)
class Picture:
    """An image that the report shows: its id, the PSNR that chose it, and PNG files by name."""

    id: str
    psnr: float
    files: Mapping[str, bytes]


def render(
    facts: Mapping[str, Any],
    judgements: Mapping[str, Measurements],
    shown: Mapping[str, Mapping[str, Sequence[Picture]]],
    files: Mapping[str, bytes],
    curves: Mapping[str, bytes],
) -> str:
    """The page.

    Args:
        facts: as in metrics.json.
        judgements: by split.
        shown: pictures by split and group (best, median, worst).
        files: PNG content by name; has ``histograms-SPLIT.png`` of each split.
        curves: PNG of each bundle's training, by label.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("colorize_core.evaluation", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = list(next(iter(judgements.values())).gains["full"])
    sections = [
        {
            "split": split,
            "facts": facts["splits"][split],
            "best": {scale: _best(rows) for scale, rows in facts["splits"][split]["tables"].items()},
            "histograms": _data_url(files[f"histograms-{split}.png"], "png"),
            "groups": {
                group: [
                    {"id": picture.id, "psnr": picture.psnr, "files": [_small(picture.files[name]) for name in names]}
                    for picture in pictures
                ]
                for group, pictures in shown[split].items()
            },
        }
        for split in judgements
        for names in [[*PICTURES, *rows]]
    ]
    template = environment.get_template("report.html")
    return template.render(
        facts=facts,
        metrics=METRICS,
        names=[*PICTURES, *rows],
        sections=sections,
        curves={label: _data_url(content, "png") for label, content in curves.items()},
    )


def _best(rows: Mapping[str, Any]) -> dict[str, str]:
    """The row with the best mean, by metric, where one is better than another."""
    made = {}
    for metric in METRICS:
        means = {row: figures[metric.name]["mean"] for row, figures in rows.items()}
        known = {row: metric.better * mean for row, mean in means.items() if mean is not None}
        if metric.better and known:
            made[metric.name] = max(known, key=lambda row: known[row])
    return made


def _small(content: bytes) -> dict[str, Any]:
    """A picture as the page holds it, with its size."""
    with Image.open(io.BytesIO(content)) as image:
        picture = image.convert("RGB")
    if max(picture.size) <= _SIDE // 4:  # JPEG would blur what few pixels there are
        return {"url": _data_url(content, "png"), "width": picture.width, "height": picture.height}
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    return {"url": _data_url(buffer.getvalue(), "jpeg"), "width": picture.width, "height": picture.height}


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
