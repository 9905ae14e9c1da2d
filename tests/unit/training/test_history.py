"""The rows of a training's history: which epoch is the best, and when a training stops early."""

from __future__ import annotations

from colorize_core.training.history import COLUMNS, best_epoch, should_stop_early, to_csv
from tests.support.histories import history_row

ROWS = [history_row(i + 1, val_loss=loss) for i, loss in enumerate([3, 2, 2, 4])]


def test_the_first_epoch_with_the_lowest_loss_is_the_best() -> None:
    assert best_epoch(ROWS) == 2


def test_a_training_stops_after_the_epochs_of_its_patience() -> None:
    assert not should_stop_early([], 1)
    assert not should_stop_early(ROWS, None)
    assert not should_stop_early(ROWS, 3)
    assert should_stop_early(ROWS, 2)


def test_the_table_has_a_row_per_epoch() -> None:
    header, *rows = to_csv(ROWS).decode().splitlines()
    assert header == ",".join(COLUMNS)
    assert [row.split(",")[0] for row in rows] == ["1", "2", "3", "4"]
