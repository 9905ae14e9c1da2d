"""What a photograph of the training set may look like to the network: pure functions of a random generator.

Archives hold faded and harsh prints, and scans with the mount around them: a network that never saw any gives them
casts. So some of the inputs are aged and framed; the colors to be learned stay.
"""

from __future__ import annotations

import numpy as np

from colorize_core.color import ColorSpace, Floats
from colorize_core.images import resizing
from colorize_core.recipes import DataSettings

_GAMMA = 0.7  # of the natural logarithm of the steepest gamma: between 1/2 and 2
_CONTRAST = (0.35, 1.6)  # of what the photograph had; above 1 the darkest and lightest tones are lost
_WIDEST_FRAME = 0.25  # of a side


def augment(inputs: Floats, targets: Floats, rng: np.random.Generator, data: DataSettings) -> tuple[Floats, Floats]:
    """Crops, mirrors, ages and frames a batch [n, S, S, c] as the recipe says; gives [n, crop, crop, c]."""
    inputs, targets = cut(inputs, targets, rng, crop=data.crop, min_scale=data.min_scale, flip=data.flip)
    if data.aged:
        inputs = age(inputs, rng, data.aged, data.color_space)
    if data.framed:
        inputs, targets = frame(inputs, targets, rng, data.framed, data.color_space)
    return inputs, targets


def cut(
    inputs: Floats, targets: Floats, rng: np.random.Generator, *, crop: int, min_scale: float, flip: bool
) -> tuple[Floats, Floats]:
    """A random square of each image of a batch, at ``crop`` x ``crop``, mirrored half of the time.

    Args:
        inputs: [n, S, S, 1]; targets: [n, S, S, 2 or 3].
        rng: says which squares, and which are mirrored.
        crop: side of the result in pixels.
        min_scale: the square's side is between this part of S and S.
    """
    size = inputs.shape[1]
    both = np.concatenate([inputs, targets], axis=-1, dtype=np.float32)  # [n, S, S, 3 or 4]: cut alike
    if crop == size and min_scale == 1:  # nothing to cut: no image needs a call of its own
        if flip:
            mirrored = rng.random(len(both)) < 0.5
            both[mirrored] = both[mirrored, :, ::-1]
        return both[..., :1], both[..., 1:]
    parts = []
    for image in both:
        side = int(rng.integers(max(1, round(size * min_scale)), size + 1))
        top, left = rng.integers(0, size - side + 1, 2)
        part = image[top : top + side, left : left + side]
        if flip and rng.random() < 0.5:
            part = part[:, ::-1]
        parts.append(resizing.resize(np.ascontiguousarray(part), (crop, crop)))
    out = np.stack(parts)
    return out[..., :1], out[..., 1:]


def age(inputs: Floats, rng: np.random.Generator, part: float, color_space: ColorSpace) -> Floats:
    """This part of the images with another gamma and another contrast: faded, pale, dark or harsh.

    Args:
        inputs: [n, h, w, 1] as the network sees them.
        rng: says which ones, and how.
        part: of the images, in [0, 1].
        color_space: says in which range the inputs are.
    """
    n, (low, span) = len(inputs), _range(color_space)
    kept = rng.uniform(*_CONTRAST, n)
    settings = np.exp(rng.uniform(-_GAMMA, _GAMMA, n)), kept, rng.uniform(0, 1, n) * (1 - kept)
    gamma, contrast, black = (values.astype(np.float32)[:, None, None, None] for values in settings)
    tones = np.clip((inputs - low) / span, 0, 1) ** gamma
    aged = low + span * np.clip(black + contrast * tones, 0, 1)
    return np.where((rng.random(n) < part)[:, None, None, None], aged, inputs)


def frame(
    inputs: Floats, targets: Floats, rng: np.random.Generator, part: float, color_space: ColorSpace
) -> tuple[Floats, Floats]:
    """This part of the images inside a flat, colorless frame, on one side or more.

    Args:
        inputs: [n, h, w, 1]; targets: [n, h, w, 2 or 3].
        rng: says which ones, and how.
        part: of the images, in [0, 1].
        color_space: of both.
    """
    inputs, targets = inputs.copy(), targets.copy()
    low, span = _range(color_space)
    height, width = inputs.shape[1:3]
    for i in np.flatnonzero(rng.random(len(inputs)) < part):
        sides = rng.uniform(0, _WIDEST_FRAME, 4) * (rng.random(4) < 0.75)
        top, bottom = (round(side * height) for side in sides[:2])
        left, right = (round(side * width) for side in sides[2:])
        inside = np.zeros((height, width), bool)
        inside[top : height - bottom, left : width - right] = True
        tone = rng.choice([rng.uniform(0, 0.15), rng.uniform(0.85, 1), rng.uniform(0, 1)])
        inputs[i][~inside] = low + span * tone
        targets[i][~inside] = 0 if color_space == "lab" else tone
    return inputs, targets


def _range(color_space: ColorSpace) -> tuple[np.float32, np.float32]:
    """Black, and the way from there to white, of what the network sees."""
    return (np.float32(-1), np.float32(2)) if color_space == "lab" else (np.float32(0), np.float32(1))
