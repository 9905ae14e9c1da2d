"""How often a toned print is taken for color, and a color photograph for a print.

    python -m tests.benchmarks.toned_prints PHOTOGRAPHS [--images 1500] [--sheet SHEET.png]

PHOTOGRAPHS: a folder with folders of color photographs. Half of the images, by a hash of their names, are for the
logistic regression, whose weights are printed; errors are those of the shipped weights, and of these, on the other
half. A print is made of each: a curve of hue and chroma over lightness from black to paper, the paper's own tint,
stains, grain, JPEG.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import minimize

from colorize_core import color
from colorize_core.images import color_detection, decode

_STRENGTH = np.array([0.3, 0.8, 1, 0.8, 0.4])  # of chroma, from black to paper
Pixels = NDArray[np.uint8]
_TONES = {  # hue in degrees of ab, chroma in the middle of the scale: from, to
    "sepia": ((55, 90), (10, 35)),
    "gold": ((30, 60), (8, 25)),
    "selenium": ((290, 350), (3, 10)),
    "cyanotype": ((230, 280), (15, 45)),
    "faded": ((60, 100), (3, 12)),
    "gray": ((0, 360), (0, 1)),
}


def jpeg(rgb: Pixels, dice: np.random.Generator) -> Pixels:
    """Compressed as scans are."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=int(dice.integers(60, 96)))
    return np.asarray(Image.open(buffer))


def printed(rgb: Pixels, tone: str, dice: np.random.Generator) -> Pixels:
    """A print of one color of a photograph."""
    (low, high), (least, most) = _TONES[tone]
    lightness = color.rgb_to_lab(rgb)[..., 0]
    black, white = dice.uniform(2, 25), dice.uniform(75, 97)
    lightness = black + (white - black) * (lightness / 100) ** dice.uniform(0.7, 1.4)
    knots = np.linspace(0, 100, 5)
    hue = np.interp(lightness, knots, dice.uniform(low, high) + np.cumsum(dice.normal(0, 6, 5)))
    shape = np.interp(lightness, knots, np.clip(_STRENGTH + dice.normal(0, 0.15, 5), 0, None))
    chroma = dice.uniform(least, most) * shape
    a, b = chroma * np.cos(np.deg2rad(hue)), chroma * np.sin(np.deg2rad(hue))
    paper = dice.uniform(0, 8) * (lightness / 100)
    height, width = lightness.shape
    stains = cv2.resize(dice.normal(0, 1, (4, 4)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    b = b + paper + dice.uniform(0, 2.5) * stains
    rgb = color.join(lightness.astype(np.float32), np.stack([a, b], axis=-1).astype(np.float32))
    grain = dice.normal(0, dice.uniform(0, 8), (height, width, 1)) + dice.normal(0, dice.uniform(0, 2), rgb.shape)
    return jpeg(np.clip(rgb + grain, 0, 255).astype(np.uint8), dice)


def faded(rgb: Pixels, rest: float, dice: np.random.Generator) -> Pixels:
    """A color print of which so much chroma is left, yellowed."""
    lab = color.rgb_to_lab(rgb)
    ab = rest * lab[..., 1:] + np.array([0, dice.uniform(0, 8) if rest < 1 else 0], np.float32)
    return jpeg(color.join(lab[..., 0], ab.astype(np.float32)), dice)


def fit(prints: NDArray[np.float64], colors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights and bias of a logistic regression, with a little of ridge."""
    rows = np.vstack([prints, colors])
    truth = np.repeat([0.0, 1.0], [len(prints), len(colors)])
    rows = np.column_stack([rows, np.ones(len(rows))])

    def loss(weights: NDArray[np.float64]) -> float:
        odds = rows @ weights
        return float((np.logaddexp(0, odds) - truth * odds).mean() + 1e-4 * (weights[:-1] ** 2).sum())

    found: NDArray[np.float64] = minimize(loss, np.zeros(rows.shape[1])).x
    return found


def main() -> None:
    """Prints a line per kind of image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--sheet", type=Path, help="prints to look at")
    arguments = parser.parse_args()
    digests = {path: hashlib.sha256(path.name.encode()).digest() for path in arguments.photographs.rglob("*.*")}
    paths = sorted(digests, key=digests.__getitem__)[: arguments.images]
    kinds: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
        "color": lambda rgb, dice: jpeg(rgb, dice),
        "color, 60 % of its chroma": lambda rgb, dice: faded(rgb, 0.6, dice),
        "color, 40 % of its chroma": lambda rgb, dice: faded(rgb, 0.4, dice),
        **{tone: lambda rgb, dice, tone=tone: printed(rgb, tone, dice) for tone in _TONES},  # type: ignore[misc]
    }
    seen: dict[str, tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]] = {kind: ([], []) for kind in kinds}
    sheet = []
    for number, path in enumerate(paths):
        dice = np.random.default_rng(number)
        rgb = decode.read_rgb(path.read_bytes())
        if np.hypot(*color.rgb_to_lab(rgb)[..., 1:].reshape(-1, 2).T).mean() < 3:
            continue  # gray, among the color photographs
        for kind, make in kinds.items():
            made = make(rgb, dice)
            seen[kind][digests[path][-1] % 2].append(color_detection.measures(made))
            if len(sheet) < 8 * len(kinds):
                sheet.append(cv2.resize(made, (160, 160)))
    weights = fit(np.vstack([seen[tone][0] for tone in _TONES]), np.vstack([seen[kind][0] for kind in list(kinds)[:2]]))
    print("fitted:", np.round(weights, 2), "shipped:", color_detection._WEIGHTS, color_detection._BIAS)
    for kind in kinds:
        held_out = np.vstack(seen[kind][1])
        odds = {
            "shipped": held_out @ color_detection._WEIGHTS + color_detection._BIAS,
            "fitted": held_out @ weights[:-1] + weights[-1],
        }
        wrong = {
            name: (
                values > color_detection._THRESHOLD if kind in _TONES else values <= color_detection._THRESHOLD
            ).mean()
            for name, values in odds.items()
        }
        print(f"{kind}: {len(held_out)}, told wrongly {wrong['shipped']:.1%} (fitted here {wrong['fitted']:.1%})")
    if arguments.sheet:
        rows = [np.hstack(sheet[i : i + len(kinds)]) for i in range(0, len(sheet), len(kinds))]
        Image.fromarray(np.vstack(rows)).save(arguments.sheet)


if __name__ == "__main__":
    main()
