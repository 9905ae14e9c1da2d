"""All metrics of one colorized image, and what each is called."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.evaluation import metrics

_PSNR_OF_EQUAL = 100.0  # dB that an exact match counts as in a mean: infinity would hide the rest


@dataclass(frozen=True)
class Metric:
    """How a metric is shown.

    Attributes:
        name: of its column.
        title: for a person, with the unit.
        digits: behind the point.
        better: 1 where more is better, -1 where less is, 0 where neither is.
    """

    name: str
    title: str
    digits: int
    better: int


METRICS = (
    Metric("psnr", "PSNR (dB)", 2, 1),
    Metric("ssim", "SSIM", 3, 1),
    Metric("ciede2000", "CIEDE2000", 2, -1),
    Metric("colorfulness", "colorfulness", 1, 0),
    Metric("colorfulness_difference", "… less the truth's", 1, 0),
    Metric("colorfulness_distance", "… off the truth's", 1, -1),
    Metric("mse", "MSE", 4, -1),
    Metric("mae", "MAE", 4, -1),
    Metric("rmse_ab", "RMSE of ab", 2, -1),
    Metric("nazeri_2", "accuracy, 2 %", 3, 1),
    Metric("nazeri_5", "accuracy, 5 %", 3, 1),
)


class Truth:
    """A color photograph, with what its comparisons share.

    Args:
        rgb: sRGB uint8 [H, W, 3].
    """

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self.rgb = rgb
        self._lab = color.rgb_to_lab(rgb)
        self.colorfulness = color.colorfulness(rgb)

    def compare(self, image: NDArray[np.uint8]) -> dict[str, float]:
        """Value by name of ``METRICS`` of an image of the same size; the PSNR of an equal one is 100."""
        lab = color.rgb_to_lab(image)
        return {
            "psnr": min(metrics.psnr(self.rgb, image), _PSNR_OF_EQUAL),
            "mse": metrics.mse(self.rgb, image),
            "mae": metrics.mae(self.rgb, image),
            "ssim": metrics.ssim(self.rgb, image),
            "rmse_ab": metrics.rmse_ab(self._lab, lab),
            "ciede2000": metrics.ciede2000(self._lab, lab),
            "nazeri_2": metrics.nazeri_accuracy(self._lab, lab, 2),
            "nazeri_5": metrics.nazeri_accuracy(self._lab, lab, 5),
            "colorfulness": color.colorfulness(image),
            "colorfulness_difference": metrics.colorfulness_difference(self.rgb, image),
            "colorfulness_distance": metrics.colorfulness_distance(self.rgb, image),
        }
