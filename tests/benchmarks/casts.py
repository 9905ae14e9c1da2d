"""Whether odd photographs get casts: shapes, tones, damage and mounts of archives, beside the photographs as they are.

    python -m tests.benchmarks.casts PHOTOGRAPHS [--model default] [--images 100]
    python -m tests.benchmarks.casts --sheet docs/scans.jpg

PHOTOGRAPHS is a folder of color photographs that the model was not trained on. Each is made gray, changed, and
colorized. A cast is what an image's mean a or b is off that of the true photograph; a (green to magenta) is the one
that hurts. For each change: the mean a and b over all images, the mean size of both casts, and the part of the images
whose a is off by more than 8 units. Mounts and flat gray should be neutral: their chroma.

``--sheet`` draws photographs of scikit-image's, changed and colorized.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from skimage import data

from colorize_core import Colorizer, color, load_bundle
from colorize_core.images import contact_sheet, decode, png

Image = NDArray[np.uint8]
_MOUNT = 0.12  # of the short side, around the photograph
_PLAIN_CAST = 8.0  # units of a


def narrow(aspect: float) -> Callable[[Image], Image]:
    """The middle of a photograph, so many times as wide as high; below 1 upright."""

    def cut(rgb: Image) -> Image:
        height, width = rgb.shape[:2]
        wide = min(width, max(1, round(height * aspect)))
        high = min(height, max(1, round(width / aspect)))
        top, left = (height - high) // 2, (width - wide) // 2
        return rgb[top : top + high, left : left + wide]

    return cut


def tones(low: float, high: float, gamma: float) -> Callable[[Image], Image]:
    """Gray values from black at ``low`` to white at ``high``."""

    def change(gray: Image) -> Image:
        return np.rint(255 * (low + (high - low) * (gray / 255.0) ** gamma)).astype(np.uint8)

    return change


def harsh(gray: Image) -> Image:
    """Blacks and whites without detail, as on a copy of a copy."""
    return np.clip((gray.astype(float) - 128) * 2.5 + 128, 0, 255).astype(np.uint8)


def sepia(gray: Image) -> Image:
    """A toned print, as a color scan [H, W, 3]: of what colorizers see only the lightness counts."""
    return np.rint(np.clip(gray[..., None] * np.array([1.0, 0.86, 0.67]) + [12, 6, 0], 0, 255)).astype(np.uint8)


def halftone(gray: Image) -> Image:
    """Printed in dots of six pixels at 45 degrees, and scanned not quite sharply."""
    high, wide = np.mgrid[: gray.shape[0], : gray.shape[1]] * (np.pi / 6)
    screen = 0.5 + 0.25 * (np.cos(high + wide) + np.cos(high - wide))
    dots = np.where(gray / 255 > screen, 245, 20).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(dots, (0, 0), 1.0))


def grainy(gray: Image) -> Image:
    """A fast film."""
    grain = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 60, gray.shape), (0, 0), 0.8)
    return np.clip(gray + grain, 0, 255).astype(np.uint8)


def dusty(gray: Image) -> Image:
    """Specks, hairs and scratches, white and black."""
    rng = np.random.default_rng(0)
    height, width = gray.shape
    made = gray.copy()
    for _ in range(120):
        place = int(rng.integers(width)), int(rng.integers(height))
        cv2.circle(made, place, int(rng.integers(1, 4)), int(rng.choice([10, 245])), -1, cv2.LINE_AA)
    for _ in range(12):
        points = (np.cumsum(rng.normal(0, 12, (9, 2)), axis=0) + rng.uniform(0, (width, height))).astype(np.int32)
        cv2.polylines(made, [points], False, int(rng.choice([10, 245])), 1, cv2.LINE_AA)
    for left in rng.integers(0, width, 3):
        cv2.line(made, (int(left), 0), (int(left) + 4, height), 235, 1, cv2.LINE_AA)
    return made


def mounted(tone: int) -> Callable[[Image], Image]:
    """On cardboard of this gray."""

    def mount(gray: Image) -> Image:
        margin = round(_MOUNT * min(gray.shape))
        return np.pad(gray, margin, constant_values=tone)

    return mount


SHAPES = {"as it is": 0.0, "3:1": 3.0, "10:1": 10.0, "1:3": 1 / 3, "1:10": 0.1}
TONES: dict[str, Callable[[Image], Image]] = {
    "faded": tones(0.35, 0.75, 1.0),
    "pale": tones(0.5, 1.0, 1.0),
    "dark": tones(0.0, 0.6, 1.8),
    "harsh": harsh,
    "negative": lambda gray: 255 - gray,
    "sepia": sepia,
    "halftone": halftone,
    "grain": grainy,
    "dust": dusty,
}
MOUNTS = {"white mount": mounted(250), "gray mount": mounted(150), "black border": mounted(5)}


def write_sheet(path: Path, colorizer: Colorizer) -> None:
    """Scan and result of four photographs, a row per change."""
    rows = []
    for change in (*TONES.values(), *MOUNTS.values()):
        row = []
        for name in ("astronaut", "chelsea", "coffee", "rocket"):
            pixels = change(np.asarray(PIL.Image.fromarray(getattr(data, name)()).convert("L")))
            row += [png.encode(pixels), png.encode(np.asarray(colorizer.colorize(pixels)))]
        rows.append(row)
    sheet = PIL.Image.open(io.BytesIO(contact_sheet.grid(rows, ("scan", "colorized") * 4)))
    sheet.resize((sheet.width // 2, sheet.height // 2), PIL.Image.Resampling.LANCZOS).save(path, quality=88)


def main() -> None:
    """Prints a line per change."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, nargs="?")
    parser.add_argument("--model", default="default")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    if options.sheet:
        write_sheet(options.sheet, Colorizer(load_bundle(options.model)))
    if not options.photographs:
        return
    files = sorted(path for path in options.photographs.rglob("*") if decode.is_image_name(path.name))
    chosen = files[:: max(1, len(files) // options.images)][: options.images]
    photographs = [decode.read_rgb(path.read_bytes()) for path in chosen]
    colorizer = Colorizer(load_bundle(options.model))

    def made_of(pixels: Image) -> NDArray[np.float32]:
        return color.rgb_to_lab(np.asarray(colorizer.colorize(pixels)))[..., 1:]

    def gray_of(rgb: Image) -> Image:
        return np.rint(255 * color.gray(rgb, "luminance")).astype(np.uint8)

    print(f"{len(photographs)} photographs\n{'':14} {'a':>6} {'b':>6} {'a off':>6} {'b off':>6} {'a > 8 off':>9}")
    cuts = {name: narrow(aspect) if aspect else (lambda rgb: rgb) for name, aspect in SHAPES.items()}
    for name, cut in cuts.items():
        parts = [cut(rgb) for rgb in photographs]
        report(name, [made_of(gray_of(rgb)).mean((0, 1)) for rgb in parts], parts)
    for name, change in TONES.items():
        report(name, [made_of(change(gray_of(rgb))).mean((0, 1)) for rgb in photographs], photographs)
    print(f"\n{'':14} chroma of the mount, a and b of the photograph on it")
    for name, mount in MOUNTS.items():
        edges, inner = [], []
        for rgb in photographs:
            margin = round(_MOUNT * min(rgb.shape[:2]))
            ab = made_of(mount(gray_of(rgb)))
            inside = np.zeros(ab.shape[:2], bool)
            inside[margin:-margin, margin:-margin] = True
            edges.append(np.hypot(*ab[~inside].T).mean())
            inner.append(ab[inside].mean(0))
        print(f"{name:14} {np.mean(edges):.1f}   {np.mean(inner, axis=0).round(1)}")
    print("\nflat gray, chroma by tone")
    for tone in (20, 80, 140, 200, 250):
        print(f"{tone:14} {np.hypot(*np.moveaxis(made_of(np.full((300, 400), tone, np.uint8)), -1, 0)).mean():.1f}")


def report(name: str, means: list[NDArray[np.float32]], truths: list[Image]) -> None:
    """One line."""
    true = np.stack([color.rgb_to_lab(rgb)[..., 1:].mean((0, 1)) for rgb in truths])
    off = np.abs(np.stack(means) - true)
    a, b = np.mean(means, axis=0)
    often = (off[:, 0] > _PLAIN_CAST).mean()
    print(f"{name:14} {a:6.1f} {b:6.1f} {off[:, 0].mean():6.1f} {off[:, 1].mean():6.1f} {often:9.2f}")


if __name__ == "__main__":
    main()
