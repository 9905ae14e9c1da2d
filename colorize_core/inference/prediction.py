"""The prediction of a network for one photograph, and the colors that are taken from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from colorize_core.bundle import FAITHFUL, Coloring
from colorize_core.color import Floats

_VIVID = slice(2, 4)  # channels of the vivid ab; the first two are the faithful ab
_SPREAD = 4


@dataclass(frozen=True)
class Prediction:
    """The prediction for a photograph, at the network's resolution.

    Attributes:
        channels: float32 [h, w, c] in units of ab: a and b; from a class head also vivid a and b, and the spread of the
            odds (``models.odds``).
    """

    channels: Floats

    def ab(self, coloring: Coloring) -> Floats:
        """Returns ab, float32 [h, w, 2], from ``Bundle.coloring``."""
        chosen = self.channels[..., :2] if coloring.odds == FAITHFUL else self.channels[..., _VIVID]
        return np.float32(coloring.gain) * chosen

    def spread(self) -> float | None:
        """Returns the root mean square of the spread of the odds, in units of ab; None without a class head."""
        if self.channels.shape[-1] <= _SPREAD:
            return None
        return float(np.sqrt(np.square(self.channels[..., _SPREAD], dtype=np.float64).mean()))
