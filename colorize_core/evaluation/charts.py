"""Charts of the metrics of one split."""

from __future__ import annotations

import io

import numpy as np

from colorize_core.evaluation.comparison import FULL, column
from colorize_core.evaluation.image_metrics import METRICS
from colorize_core.evaluation.measurements import Measurements
from colorize_core.evaluation.table import TRUTH_COLORFULNESS

_BINS = 40
_FULL_LEGEND = [metric.name for metric in METRICS].index("colorfulness")  # the only panel that shows the truth too


def histograms(measured: Measurements) -> bytes:
    """Returns a PNG with a panel per metric: a histogram over all images for each table row at full resolution."""
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    lines = -(-(len(METRICS) + 1) // 2)
    figure = Figure(figsize=(7, 2.7 * lines), layout="constrained")
    panels = figure.subplots(lines, 2).ravel()
    for axes, metric in zip(panels, METRICS, strict=False):
        series = {row: measured.columns[column(FULL, row, metric.name)] for row in measured.tables[FULL]}
        if metric.name == "colorfulness":
            series["truth"] = measured.columns[TRUTH_COLORFULNESS]
        known = {row: values[np.isfinite(values)] for row, values in series.items()}
        both = np.concatenate(list(known.values()))
        if len(both):
            edges = np.histogram_bin_edges(both, _BINS)
            for row, values in known.items():
                axes.stairs(np.histogram(values, edges)[0], edges, label=row)
        axes.set_xlabel(metric.title)
        axes.set_ylabel("images")
        axes.grid(alpha=0.3)
    for axes in panels[len(METRICS) :]:
        axes.axis("off")
    panels[len(METRICS)].legend(*panels[_FULL_LEGEND].get_legend_handles_labels(), loc="center")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
