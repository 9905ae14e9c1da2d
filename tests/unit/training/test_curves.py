"""What TensorBoard is told of a training."""

from __future__ import annotations

import struct

from tensorboardX.proto.event_pb2 import Event

from colorize_core.training import curves
from colorize_core.training.history import COLUMNS
from tests.support.histories import history_row


def test_each_epoch_has_the_time_at_which_it_ended() -> None:
    history = [history_row(epoch, loss=1 / epoch, ended_at=1e9 + 60.0 * epoch) for epoch in (1, 2, 3)]
    [content] = curves.tensorboard(history).values()
    found = []
    while content:  # a record: length (8 bytes), its checksum (4), the event, its checksum (4)
        [length] = struct.unpack("<Q", content[:8])
        event = Event.FromString(content[12 : 12 + length])
        found += [(value.tag, event.step, event.wall_time) for value in event.summary.value]
        content = content[16 + length :]
    assert {tag for tag, _, _ in found} == {*COLUMNS} - {"epoch", "ended_at"}
    losses = [(step, time) for tag, step, time in found if tag == "loss"]
    assert losses == [(epoch, 1e9 + 60.0 * epoch) for epoch in (1, 2, 3)]


def test_a_value_that_was_not_measured_is_left_out() -> None:
    rows = [history_row(1, vivid_over_gray=1.5), history_row(2, vivid_over_gray=None)]
    [content] = curves.tensorboard(rows).values()
    assert content.count(b"vivid_over_gray") == 1
    assert content.count(b"val_loss") == 2
