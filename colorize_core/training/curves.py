"""Loss curves of a training and of a search, as PNG and as a TensorBoard log."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from colorize_core.training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_IN_LEGEND = 12  # trials


def draw(history: History) -> bytes:
    """Returns a PNG of training and validation loss per epoch, with the loss of the gray copy."""
    from matplotlib.figure import Figure  # without pyplot, which needs a display and keeps global state

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="loss")
    epochs = [row.epoch for row in history]
    marker = "o" if len(history) < 3 else None  # a line through one point is invisible
    for losses, label, style in (
        ([row.loss for row in history], "training", "-"),
        ([row.val_loss for row in history], "validation", "-"),
        ([row.val_gray_loss for row in history], "validation, gray copy", ":"),
    ):
        axes.plot(epochs, losses, style, label=label, marker=marker)
    axes.legend()
    axes.grid(alpha=0.3)
    return _png(figure)


def tensorboard(history: History) -> dict[str, bytes]:
    """Returns a TensorBoard log with one entry per epoch, at the time at which the epoch ended: content by path."""
    from tensorboardX import SummaryWriter

    with tempfile.TemporaryDirectory() as folder:
        with SummaryWriter(folder, filename_suffix=".colorize") as writer:
            for row in history:
                for name, value in asdict(row).items():
                    if name not in ("epoch", "ended_at") and value is not None:
                        writer.add_scalar(name, value, row.epoch, walltime=row.ended_at)
        [file] = Path(folder).iterdir()
        return {"tensorboard/events.out.tfevents.0.colorize": file.read_bytes()}


def draw_trials(histories: Mapping[int, History]) -> bytes:
    """Returns a PNG of the validation error per epoch of each trial, by number; the first trial has a thick line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="mean squared error, validation", yscale="log")
    for position, (number, history) in enumerate(histories.items()):
        if history:
            is_thick = position == 0
            epochs = [row.epoch for row in history]
            label = f"{number}" if len(histories) <= _MAX_IN_LEGEND or is_thick else None
            axes.plot(epochs, [row.val_mse for row in history], marker=".", label=label, lw=2.5 if is_thick else 1)
    gray = next(history[0].val_gray_mse for history in histories.values() if history)
    axes.axhline(gray, linestyle=":", color="gray", label="gray copy")
    axes.legend(title="trial", ncols=2, fontsize="small")
    axes.grid(alpha=0.3)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
