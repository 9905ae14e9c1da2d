"""Whether colors keep inside outlines: the error of ab near strong edges of L, and elsewhere.

    python -m tests.benchmarks.edges PHOTOGRAPHS [--model default --model fast] [--megapixels 1 --megapixels 3]

PHOTOGRAPHS is a folder of color photographs that the models were not trained on, of at least the largest size. Strong
edges are the 5 % of pixels with the largest gradient of L; near means within 4 pixels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core import Colorizer, color, load_bundle
from colorize_core.images import resizing
from colorize_core.images.decode import read_rgb

_STRONG, _NEAR = 95, 4  # percentile; pixels


def near_edges(lightness: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Returns True for the pixels [H, W] near strong edges of L [H, W]."""
    gradient = cv2.magnitude(cv2.Sobel(lightness, cv2.CV_32F, 1, 0), cv2.Sobel(lightness, cv2.CV_32F, 0, 1))
    strong = (gradient > np.percentile(gradient, _STRONG)).astype(np.uint8)
    return cv2.dilate(strong, np.ones((2 * _NEAR + 1, 2 * _NEAR + 1))) > 0


def errors(colorizer: Colorizer, rgb: NDArray[np.uint8]) -> tuple[float, float]:
    """Returns the mean distance of ab from the truth near edges, and elsewhere."""
    gray = np.rint(255 * color.gray(rgb, colorizer.recipe.data.gray)).astype(np.uint8)
    made = np.asarray(colorizer.colorize(gray))
    distance = np.linalg.norm((color.rgb_to_lab(made) - color.rgb_to_lab(rgb))[..., 1:], axis=-1)
    near = near_edges(color.lightness(gray))
    return float(distance[near].mean()), float(distance[~near].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--model", action="append")
    parser.add_argument("--megapixels", action="append", type=float)
    arguments = parser.parse_args()
    sizes = arguments.megapixels or [1.0, 3.0]
    images = [read_rgb(path.read_bytes()) for path in sorted(arguments.photographs.iterdir())]
    print("| photographs | Mpixel | model | near edges | elsewhere |\n|---|---|---|---|---|")
    for name in arguments.model or ["default", "fast"]:
        colorizer = Colorizer(load_bundle(name))
        for size in sizes:
            measured = []
            for image in images:
                scale = min(1.0, (size * 1e6 / image[..., 0].size) ** 0.5)
                small = resizing.resize(image, (round(image.shape[1] * scale), round(image.shape[0] * scale)))
                measured.append(errors(colorizer, small))
            near, elsewhere = np.mean(measured, axis=0)
            print(f"| {len(images)} | {size:g} | {name} | {near:.2f} | {elsewhere:.2f} |", flush=True)


if __name__ == "__main__":
    main()
