"""The history of a training: one row of losses, learning rate and speed per epoch."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple, dataclass, fields


@dataclass(frozen=True)
class HistoryRow:
    """Results of one epoch.

    Attributes:
        epoch: number of the epoch, from 1 on.
        loss: mean loss over the training batches.
        val_loss: loss on the validation images.
        val_gray_loss: loss of a gray copy of the validation images.
        val_mse: mean squared error on the validation images.
        val_gray_mse: mean squared error of a gray copy of the validation images.
        vivid_gain: result of ``saturation.vivid_gain`` on the first validation images; 1 with a class head.
        vivid_over_gray: mean PSNR in dB of vivid colors on these images, less that of the gray copy; None with a class
            head in an epoch that is not better than those before.
        learning_rate: learning rate of the last step.
        images_per_second: training images per second, over all workers.
        seconds: duration of the epoch, including its validation.
        ended_at: time at the end of the epoch, in seconds since 1970.
    """

    epoch: int
    loss: float
    val_loss: float
    val_gray_loss: float
    val_mse: float
    val_gray_mse: float
    vivid_gain: float
    vivid_over_gray: float | None
    learning_rate: float
    images_per_second: float
    seconds: float
    ended_at: float


History = list[HistoryRow]

COLUMNS = tuple(field.name for field in fields(HistoryRow))


def best_epoch(history: History) -> int:
    """Returns the first epoch with the lowest validation loss."""
    return min(history, key=lambda row: row.val_loss).epoch


def should_stop_early(history: History, patience: int | None) -> bool:
    """Returns True if none of the last ``patience`` epochs improved the validation loss. None never stops early."""
    return bool(history) and patience is not None and history[-1].epoch - best_epoch(history) >= patience


def to_csv(history: History) -> bytes:
    """Returns CSV with the header ``COLUMNS`` and one row per epoch."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows(map(astuple, history))
    return file.getvalue().encode()
