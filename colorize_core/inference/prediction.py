"""The prediction of a network for one photograph, and the colors that are taken from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from colorize_core.bundle import FAITHFUL, Coloring, DoubtScale
from colorize_core.color import Floats
from colorize_core.inference.outlines import follow_outlines

_VIVID = slice(2, 4)  # channels of the vivid ab; the first two are the faithful ab
_SPREAD = 4


@dataclass(frozen=True)
class Prediction:
    """The prediction for a photograph, at the network's resolution.

    Attributes:
        channels: float32 [h', w', c] in units of ab: a and b; from a class head also vivid a and b, and the spread of
            the odds (``models.odds``).
        lightness: L float32 [h, w] that the network saw, if colors are to follow its outlines; else None.
    """

    channels: Floats
    lightness: Floats | None = None

    def ab(self, coloring: Coloring) -> Floats:
        """Returns ab, float32 [h / 2, w / 2, 2] if they follow outlines, else [h', w', 2], from ``Bundle.coloring``."""
        chosen = self.channels[..., :2] if coloring.odds == FAITHFUL else self.channels[..., _VIVID]
        if self.lightness is not None:
            chosen = follow_outlines(chosen, self.lightness)
        return np.float32(coloring.gain) * chosen

    def spread(self) -> float | None:
        """Returns the root mean square of the spread of the odds, in units of ab; None without a class head."""
        if self.channels.shape[-1] <= _SPREAD:
            return None
        return float(np.sqrt(np.square(self.channels[..., _SPREAD], dtype=np.float64).mean()))

    def doubt(self, scale: DoubtScale | None) -> float | None:
        """Returns the error of faithful colors to expect (``metrics.rmse_ab``), in units of ab; None if not known."""
        spread = self.spread()
        return None if spread is None or scale is None else scale.doubt(spread)
