"""The files of a report: ``metrics.json``, ``metrics.csv``, ``report.html`` and pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from colorize_core import storage
from colorize_core.errors import OutputError, printable
from colorize_core.evaluation import charts, report_page, table
from colorize_core.evaluation.comparison import Candidate
from colorize_core.evaluation.measurements import Measurements
from colorize_core.evaluation.report_page import Example
from colorize_core.evaluation.score import PICTURES
from colorize_core.images import contact_sheet

METRICS_JSON = "metrics.json"
METRICS_CSV = "metrics.csv"
REPORT = "report.html"
_REPLACED = re.compile(r"metrics\.csv|report\.html|(histograms|samples)-(train|val|test)\.png")

Examples = Mapping[str, Sequence[Example]]
"""Images that a report shows, by group: best, median, worst."""


@dataclass(frozen=True)
class Report:
    """The content of a report.

    Attributes:
        data: the data set, as the user gave it.
        names: name or path of each bundle, as the user gave it.
        candidates: the bundles in the same order.
        curves: a PNG with the training curves of each bundle that has one, by label.
        measurements: the results by split.
        left_out: one line for each image that was not measured, by split.
        examples: the images to show, by split.
    """

    data: str
    names: Sequence[str]
    candidates: Sequence[Candidate]
    curves: Mapping[str, bytes]
    measurements: Mapping[str, Measurements]
    left_out: Mapping[str, Sequence[str]]
    examples: Mapping[str, Examples]

    def write(self, output: str) -> str:
        """Writes all files and returns the path of the page. ``metrics.json`` says ``writing`` until all are there."""
        facts = self._facts()
        files = self._files(facts)
        target = storage.join(output, METRICS_JSON)
        storage.write(target, _json({"status": "writing"}))
        for entry in storage.children(output):
            if _REPLACED.fullmatch(entry.name):  # an earlier report, which may have had other splits
                storage.remove(entry.path)
        for name, content in files.items():
            storage.write(storage.join(output, name), content)
        storage.write(target, _json(facts))
        return storage.join(output, REPORT)

    def _facts(self) -> dict[str, Any]:
        """Returns the content of ``metrics.json``."""
        bundles = [
            {
                "label": each.label,
                "name": printable(name),
                "digest": each.bundle.digest,
                "saturation": dict(each.bundle.saturation),
            }
            for name, each in zip(self.names, self.candidates, strict=True)
        ]
        splits = {name: each.facts() | {"left_out": self.left_out[name]} for name, each in self.measurements.items()}
        return {
            "status": "done",
            "data": printable(self.data),
            "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "bundles": bundles,
            "splits": splits,
        }

    def _files(self, facts: Mapping[str, Any]) -> dict[str, bytes]:
        """Returns the content of all files but ``metrics.json``, by name."""
        columns = table.stack([each.columns for each in self.measurements.values()])
        files = {METRICS_CSV: table.write_csv(columns)}
        headings = [*PICTURES, *(row for each in self.candidates for row in each.rows)]
        for split, each in self.measurements.items():
            files[f"histograms-{split}.png"] = charts.histograms(each)
            examples = [example for group in self.examples[split].values() for example in group]
            rows = [[example.files[name] for name in headings] for example in examples]
            files[f"samples-{split}.png"] = contact_sheet.grid(rows, headings)
        page = report_page.render(facts, self.measurements, self.examples, files, self.curves)
        return files | {REPORT: page.encode()}


def check_output(output: str, source: str) -> None:
    """Raises OutputError if OUTPUT lies inside DATA, holds files of other programs, or cannot be written."""
    if storage.is_inside(output, source):
        raise OutputError(
            f"OUTPUT {output} lies inside DATA {source}, where its pictures would be taken for photographs: choose a "
            "place beside DATA"
        )
    if not storage.is_empty(output) and not storage.exists(storage.join(output, METRICS_JSON)):
        raise OutputError(f"OUTPUT {output} holds files that colorize did not make: choose a new or an empty folder")
    storage.check_writable(output)


def _json(facts: Mapping[str, Any]) -> bytes:
    return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()
