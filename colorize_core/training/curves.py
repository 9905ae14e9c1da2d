"""The training curves of a bundle."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path


def draw(history: list[dict[str, float]]) -> bytes:
    """PNG of training and validation loss per epoch, beside the loss of predicting gray."""
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="loss")
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(history) < 3 else None  # a line of one point shows nothing
    for column, label, style in (
        ("loss", "training", "-"),
        ("val_loss", "validation", "-"),
        ("val_gray_loss", "validation, gray copy", ":"),
    ):
        axes.plot(epochs, [row[column] for row in history], style, label=label, marker=marker)
    axes.legend()
    axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def tensorboard(history: list[dict[str, float]]) -> dict[str, bytes]:
    """TensorBoard's log of the whole training: content by path."""
    from tensorboardX import SummaryWriter

    with tempfile.TemporaryDirectory() as folder:
        with SummaryWriter(folder, filename_suffix=".colorize") as writer:
            for row in history:
                for name, value in row.items():
                    if name != "epoch":
                        writer.add_scalar(name, value, int(row["epoch"]))
        [file] = Path(folder).iterdir()
        return {"tensorboard/events.out.tfevents.0.colorize": file.read_bytes()}
