"""Data augmentation: random crops, mirroring, aging, frames and pages, as pure functions of a random generator.

Archives hold faded and harsh prints, scans with the mount around the print, and printed pages. A network that never saw
such inputs gives them color casts. Therefore some inputs are aged, framed and laid on pages (``pages``); the target
colors of the photograph stay.
"""

from __future__ import annotations

import numpy as np

from colorize_core.color import ColorSpace, Floats, Halves
from colorize_core.images import resizing
from colorize_core.recipes import DataSettings
from colorize_core.training import pages

_LOG_GAMMA = 0.7  # largest |ln(gamma)|: gamma is between 1/2 and 2
_CONTRAST = (0.35, 1.6)  # factor of the photograph's contrast; above 1 the darkest and lightest tones are clipped
_WIDEST_FRAME = 0.25  # fraction of the image's side


def augment(
    inputs: Floats | Halves, targets: Floats | Halves, rng: np.random.Generator, data: DataSettings
) -> tuple[Floats, Floats]:
    """Crops and changes a batch [n, S, S, c] as the recipe says; returns it as [n, crop, crop, c]."""
    crops, colors = crop_and_flip(inputs, targets, rng, crop=data.crop, min_scale=data.min_scale, flip=data.flip)
    if data.aged:
        crops = age(crops, rng, data.aged, data.color_space)
    if data.framed:
        crops, colors = frame(crops, colors, rng, data.framed, data.color_space)
    if data.on_pages:
        crops, colors = lay_on_pages(crops, colors, rng, data.on_pages, data.color_space)
    return crops, colors


def crop_and_flip(
    inputs: Floats | Halves,
    targets: Floats | Halves,
    rng: np.random.Generator,
    *,
    crop: int,
    min_scale: float,
    flip: bool,
) -> tuple[Floats, Floats]:
    """Cuts a random square out of each image, resizes it to ``crop`` x ``crop``, and mirrors half of the images.

    Args:
        inputs: [n, S, S, 1]; targets: [n, S, S, 2 or 3].
        rng: chooses the squares, and which of them are mirrored.
        crop: side of the result in pixels.
        min_scale: the square's side is between ``min_scale`` * S and S pixels.
        flip: whether to mirror.
    """
    size = inputs.shape[1]
    both = np.concatenate([inputs, targets], axis=-1, dtype=np.float32)  # [n, S, S, 3 or 4]
    if crop == size and min_scale == 1:  # nothing to cut or resize: the batch is mirrored at once
        if flip:
            mirrored = rng.random(len(both)) < 0.5
            both[mirrored] = both[mirrored, :, ::-1]
        return both[..., :1], both[..., 1:]
    crops = []
    for image in both:
        side = int(rng.integers(max(1, round(size * min_scale)), size + 1))
        top, left = rng.integers(0, size - side + 1, 2)
        square = image[top : top + side, left : left + side]
        if flip and rng.random() < 0.5:
            square = square[:, ::-1]
        crops.append(resizing.resize(np.ascontiguousarray(square), (crop, crop)))
    resized = np.stack(crops)
    return resized[..., :1], resized[..., 1:]


def age(inputs: Floats, rng: np.random.Generator, fraction: float, color_space: ColorSpace) -> Floats:
    """Changes gamma and contrast of some images, so that they look faded, pale, dark or harsh.

    Args:
        inputs: [n, h, w, 1], as the network sees them.
        rng: chooses the images and their changes.
        fraction: share of the images that are changed, in [0, 1].
        color_space: ``lab`` for inputs in [-1, 1], ``rgb`` for inputs in [0, 1].
    """
    n, (low, span) = len(inputs), _range(color_space)
    contrasts = rng.uniform(*_CONTRAST, n)
    settings = np.exp(rng.uniform(-_LOG_GAMMA, _LOG_GAMMA, n)), contrasts, rng.uniform(0, 1, n) * (1 - contrasts)
    gamma, contrast, black = (values.astype(np.float32)[:, None, None, None] for values in settings)
    tones = np.clip((inputs - low) / span, 0, 1) ** gamma
    aged = low + span * np.clip(black + contrast * tones, 0, 1)
    return np.where((rng.random(n) < fraction)[:, None, None, None], aged, inputs)


def frame(
    inputs: Floats, targets: Floats, rng: np.random.Generator, fraction: float, color_space: ColorSpace
) -> tuple[Floats, Floats]:
    """Draws a flat, colorless frame on one or more sides of some images, in inputs and targets.

    Args:
        inputs: [n, h, w, 1]; targets: [n, h, w, 2 or 3].
        rng: chooses the images and their frames.
        fraction: share of the images that get a frame, in [0, 1].
        color_space: color space of the inputs and targets.
    """
    inputs, targets = inputs.copy(), targets.copy()
    low, span = _range(color_space)
    height, width = inputs.shape[1:3]
    for i in np.flatnonzero(rng.random(len(inputs)) < fraction):
        sides = rng.uniform(0, _WIDEST_FRAME, 4) * (rng.random(4) < 0.75)
        top, bottom = (round(side * height) for side in sides[:2])
        left, right = (round(side * width) for side in sides[2:])
        inside = np.zeros((height, width), bool)
        inside[top : height - bottom, left : width - right] = True
        tone = rng.choice([rng.uniform(0, 0.15), rng.uniform(0.85, 1), rng.uniform(0, 1)])
        inputs[i][~inside] = low + span * tone
        targets[i][~inside] = 0 if color_space == "lab" else tone
    return inputs, targets


def lay_on_pages(
    inputs: Floats, targets: Floats, rng: np.random.Generator, fraction: float, color_space: ColorSpace
) -> tuple[Floats, Floats]:
    """Replaces some images by rendered pages, most of which show the image; paper and ink have no color.

    Args:
        inputs: [n, side, side, 1]; targets: [n, side, side, 2 or 3].
        rng: chooses the images and renders the pages.
        fraction: share of the images that become pages, in [0, 1].
        color_space: color space of the inputs and targets.
    """
    inputs, targets = inputs.copy(), targets.copy()
    low, span = _range(color_space)
    for i in np.flatnonzero(rng.random(len(inputs)) < fraction):
        page = pages.render(np.concatenate([inputs[i], targets[i]], axis=-1), rng)
        paper = page.tones[..., None]
        blank = np.zeros_like(targets[i]) if color_space == "lab" else np.broadcast_to(paper, targets[i].shape)
        shown = page.is_photograph[..., None]
        inputs[i] = np.where(shown, page.photograph[..., :1], low + span * paper)
        targets[i] = np.where(shown, page.photograph[..., 1:], blank)
    return inputs, targets


def _range(color_space: ColorSpace) -> tuple[np.float32, np.float32]:
    """Returns the value of black in the network's input, and the distance from black to white."""
    return (np.float32(-1), np.float32(2)) if color_space == "lab" else (np.float32(0), np.float32(1))
