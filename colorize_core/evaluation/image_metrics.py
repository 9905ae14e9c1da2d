"""The metrics of one colorized image against the true one, and their titles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colorize_core import color
from colorize_core.evaluation import metrics

_PSNR_OF_EQUAL = 100.0  # dB for equal images: one infinite value would hide all others in a mean


@dataclass(frozen=True)
class Metric:
    """A metric, and how tables and charts show it.

    Attributes:
        name: last part of the name of the metric's column.
        title: heading in tables and charts, with the unit.
        digits: decimal places.
        better: 1 if a larger value is better, -1 if a smaller one is, 0 if neither is.
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


class GroundTruth:
    """A true color photograph to compare images with. Computes once what all comparisons share.

    Args:
        rgb: sRGB uint8 [H, W, 3].
    """

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self.rgb = rgb
        self._lab = color.rgb_to_lab(rgb)
        self.colorfulness = color.colorfulness(rgb)

    def compare(self, image: NDArray[np.uint8]) -> dict[str, float]:
        """Returns the value of each of ``METRICS`` by name, for an image of the same size. Equal images have 100 dB."""
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
