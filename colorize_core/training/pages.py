"""Pages for training: text, mounts and blank paper, on which nothing but a photograph has color.

Archives hold newspapers, typed pages, and prints in mounts and albums. A network that saw only photographs gives paper
the brown of a wall, and lets a sky go on beyond its print. Therefore some training images are laid on a rendered page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from colorize_core.color import Floats
from colorize_core.images import resizing

_FINER = 4  # text is drawn at this multiple of the page's resolution, as a scan has it before it is resized
_KINDS = {"text": 0.25, "text and photograph": 0.25, "mount": 0.45, "blank": 0.05}
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)
_LETTERS = list("eeeeettttaaaooiinnsshhrrddllccuummwwffggyyppbbvvkjxqz.,")
_LINE = (0.008, 0.035)  # height of a line of text, as a fraction of the page's side
_INK = (0.3, 0.95)  # contrast of ink and paper
_UNEVEN = 0.08  # largest difference in tone between two edges of the paper
_GRAIN = 0.025  # largest standard deviation of the paper's grain


class _Box(NamedTuple):
    """A rectangle of a page in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def area(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


@dataclass(frozen=True)
class Page:
    """A rendered page.

    Attributes:
        tones: float32 [side, side], 0 is black and 1 is white.
        photograph: float32 [side, side, c], the channels of a photograph on the page; 0 elsewhere.
        is_photograph: bool [side, side].
    """

    tones: Floats
    photograph: Floats
    is_photograph: np.ndarray


def render(photograph: Floats, rng: np.random.Generator) -> Page:
    """Renders a random page: text in columns, text beside the photograph, the photograph in a mount, or blank paper.

    Args:
        photograph: float32 [side, side, c]. A part of it is scaled down onto the page, if it is shown at all.
        rng: chooses everything.
    """
    side = len(photograph)
    kind = rng.choice(list(_KINDS), p=list(_KINDS.values()))
    tones = _paper(side, rng, is_dark=rng.random() < (0.35 if kind == "mount" else 0.1))
    shown, where = np.zeros_like(photograph), np.zeros((side, side), bool)
    box = _photograph_box(side, rng, (0.4, 0.9) if kind == "mount" else (0.25, 0.7))
    has_photograph = kind in ("text and photograph", "mount")
    if kind.startswith("text"):
        tones = _print(tones, _text(side, rng), rng)
    elif kind == "mount" and rng.random() < 0.5:
        caption = _text(side, rng, lines=int(rng.integers(1, 4)), top=box.top + box.height + round(0.02 * side))
        tones = _print(tones, caption, rng)
    if has_photograph:
        shown[box.area] = _scaled_part(photograph, box, rng)
        where[box.area] = True
    return Page(tones, shown, where)


def _paper(side: int, rng: np.random.Generator, *, is_dark: bool) -> Floats:
    """Returns the tones of a sheet that is lit unevenly and has a grain."""
    tone = rng.uniform(0.02, 0.3) if is_dark else rng.uniform(0.45, 1)
    slope = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    across, down = rng.uniform(-_UNEVEN, _UNEVEN, 2).astype(np.float32)
    grain = rng.uniform(0, _GRAIN) * rng.standard_normal((side, side), np.float32)
    sheet: Floats = np.clip(np.float32(tone) + across * slope + down * slope[:, None] + grain, 0, 1, dtype=np.float32)
    return sheet


def _photograph_box(side: int, rng: np.random.Generator, fractions: tuple[float, float]) -> _Box:
    """Returns a rectangle whose sides are between two fractions of the page's side."""
    height, width = (max(1, round(side * fraction)) for fraction in rng.uniform(*fractions, 2))
    return _Box(int(rng.integers(0, side - height + 1)), int(rng.integers(0, side - width + 1)), height, width)


def _scaled_part(photograph: Floats, box: _Box, rng: np.random.Generator) -> Floats:
    """Returns the largest part of a photograph that has the shape of the box, at the box's size."""
    side = len(photograph)
    scale = side / max(box.height, box.width)
    height, width = round(box.height * scale), round(box.width * scale)
    top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
    part = np.ascontiguousarray(photograph[top : top + height, left : left + width])
    return resizing.resize(part, (box.width, box.height))


def _text(side: int, rng: np.random.Generator, lines: int | None = None, top: int | None = None) -> Floats:
    """Returns the coverage with ink, 0 to 1 [side, side], of text in one to four columns.

    Args:
        side: side of the page in pixels.
        rng: chooses fonts, sizes and letters.
        lines: number of lines in a column; None fills the page, some of it under a headline.
        top: first row of the text; None chooses a margin.
    """
    fine = side * _FINER
    ink = np.zeros((fine, fine), np.uint8)
    margin, gap = round(fine * rng.uniform(0.02, 0.12)), round(fine * rng.uniform(0.01, 0.04))
    columns = int(rng.integers(1, 5)) if lines is None else 1
    width = (fine - 2 * margin - (columns - 1) * gap) // columns
    font, height = int(rng.choice(_FONTS)), fine * rng.uniform(*_LINE)
    y = float(margin if top is None else top * _FINER)
    if lines is None and rng.random() < 0.5:
        y += _write_line(ink, rng, font, 3 * height, (margin, y, fine - 2 * margin))
    for column in range(columns):
        left, baseline, written = margin + column * (width + gap), y, 0
        while baseline + height < fine - margin and (lines is None or written < lines):
            share = 1.0 if rng.random() < 0.85 else rng.uniform(0.2, 0.9)  # the last line of a paragraph is short
            _write_line(ink, rng, font, height, (left, baseline, round(width * share)))
            baseline += height * rng.choice([1.5, 1.5, 1.5, 2.5])
            written += 1
    coverage: Floats = resizing.resize(ink.astype(np.float32) / 255, (side, side))
    return coverage


def _write_line(
    ink: np.ndarray, rng: np.random.Generator, font: int, height: float, place: tuple[int, float, int]
) -> float:
    """Writes random words of this letter height from (left, top) on, up to a width. Returns the line's height."""
    left, top, width = place
    scale = height / 30  # Hershey letters are about 21 units high, and lines 30
    count = max(1, int(width / (18 * scale)))
    letters = rng.choice(_LETTERS, count)
    letters[rng.random(count) < 0.18] = " "
    thickness = max(1, round(scale * rng.uniform(1.5, 3)))
    line = ink[:, : left + width]
    cv2.putText(line, "".join(letters), (left, round(top + height)), font, scale, 255, thickness, cv2.LINE_AA)
    return 1.8 * height


def _print(paper: Floats, coverage: Floats, rng: np.random.Generator) -> Floats:
    """Returns the tones of paper with ink on it: dark ink on light paper, and light ink on dark paper."""
    contrast = np.float32(rng.uniform(*_INK))
    is_light = paper.mean() > 0.4
    ink = paper * (1 - contrast) if is_light else paper + (1 - paper) * contrast
    printed: Floats = paper + coverage * (ink - paper)
    return printed
