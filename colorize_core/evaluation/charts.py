"""Charts of an evaluation."""

from __future__ import annotations

import io

import numpy as np

from colorize_core.evaluation.judge import Judgement
from colorize_core.evaluation.measure import METRICS
from colorize_core.evaluation.score import FULL, column

_BINS = 40
_SHOWN = ("psnr", "ssim", "rmse_ab", "ciede2000", "nazeri_5", "colorfulness")


def histograms(judged: Judgement) -> bytes:
    """PNG with a histogram over all images per metric, one line per row of the table at full resolution."""
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    figure = Figure(figsize=(7, 8), layout="constrained")
    panels = figure.subplots(3, 2).ravel()
    titles = {metric.name: metric.title for metric in METRICS}
    for axes, name in zip(panels, _SHOWN, strict=True):
        series = {row: judged.columns[column(FULL, row, name)] for row in judged.tables[FULL]}
        if name == "colorfulness":
            series["truth"] = judged.columns["truth/colorfulness"]
        known = {row: values[np.isfinite(values)] for row, values in series.items()}
        both = np.concatenate(list(known.values()))
        if len(both):
            edges = np.histogram_bin_edges(both, _BINS)
            for row, values in known.items():
                axes.stairs(np.histogram(values, edges)[0], edges, label=row)
        axes.set_xlabel(titles[name])
        axes.set_ylabel("images")
        axes.grid(alpha=0.3)
    panels[-1].legend(fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
