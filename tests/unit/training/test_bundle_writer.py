"""A bundle has vivid colors only if its network is good enough for them."""

from __future__ import annotations

import pytest

from colorize_core.networks.packing import NetworkPackage
from colorize_core.recipes import load_recipe
from colorize_core.training.bundle_writer import TrainedNetwork
from tests.support.histories import history_row


@pytest.mark.parametrize(
    ("gain", "over_gray", "color_gain", "expected"),
    [
        (1.55, 0.8, 1.0, 1.55),
        (2.0, 0.1, 1.0, 2.0),
        (2.01, 0.8, 1.0, None),
        (1.55, -0.1, 1.0, None),
        (1.55, 0.0, 1.0, None),
        (1.0, None, 1.0, None),
        (2.2, 0.8, 1.1, 2.0),  # the weights have the color gain already
        (3.99, -4.0, 1.0, None),
    ],
)
def test_vivid_is_left_out_where_it_is_worse_than_gray_or_needs_too_much(
    gain: float, over_gray: float | None, color_gain: float, expected: float | None
) -> None:
    rows = [
        history_row(1, val_loss=2.0, vivid_gain=1.2, vivid_over_gray=1.0),
        history_row(2, val_loss=1.0, vivid_gain=gain, vivid_over_gray=over_gray),
        history_row(3, val_loss=3.0, vivid_gain=1.2, vivid_over_gray=1.0),
    ]
    recipe = load_recipe("unet-lab", {"training.color_gain": color_gain})
    assert TrainedNetwork(recipe, NetworkPackage(b"", b"", {}), rows, {}).vivid_gain == expected
