"""The history of a training: one row of losses, learning rate and speed per epoch."""

from __future__ import annotations

import csv
import io

HistoryRow = dict[str, float]
History = list[HistoryRow]

COLUMNS = (
    *("epoch", "loss", "val_loss", "val_gray_loss", "val_mse", "val_gray_mse"),
    *("vivid_gain", "learning_rate", "images_per_second", "seconds", "ended_at"),
)


def best_epoch(history: History) -> int:
    """Returns the first epoch with the lowest validation loss."""
    return int(min(history, key=lambda row: row["val_loss"])["epoch"])


def should_stop_early(history: History, patience: int | None) -> bool:
    """Returns True if none of the last ``patience`` epochs improved the validation loss. None never stops early."""
    return bool(history) and patience is not None and history[-1]["epoch"] - best_epoch(history) >= patience


def to_csv(history: History) -> bytes:
    """Returns CSV with the header ``COLUMNS`` and one row per epoch."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(history)
    return file.getvalue().encode()
