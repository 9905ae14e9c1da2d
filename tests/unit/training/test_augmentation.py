from __future__ import annotations

import numpy as np
import pytest

from colorize_core.color import ColorSpace, Floats
from colorize_core.training.augmentation import age, crop_and_flip, frame
from tests.support.numbered_pairs import numbered


def test_cut_without_freedom_changes_nothing() -> None:
    inputs, targets = numbered(3, 8)
    got = crop_and_flip(inputs, targets, np.random.default_rng(0), crop=8, min_scale=1.0, flip=False)
    np.testing.assert_array_equal(got[0], inputs)
    np.testing.assert_array_equal(got[1], targets)


def test_cut_flips_half_of_the_images() -> None:
    inputs, targets = numbered(400, 8)
    got, _ = crop_and_flip(inputs, targets, np.random.default_rng(0), crop=8, min_scale=1.0, flip=True)
    kept = (got == inputs).all(axis=(1, 2, 3))
    flipped = (got == inputs[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (kept ^ flipped).all()
    assert 160 < flipped.sum() < 240  # four standard deviations of 400 throws


@pytest.mark.parametrize(("crop", "min_scale"), [(8, 0.5), (12, 0.5), (16, 0.5), (24, 0.25), (8, 0.01)])
def test_cut_cuts_input_and_target_alike(crop: int, min_scale: float) -> None:
    inputs, targets = numbered(60, 16)
    got_in, got_out = crop_and_flip(
        inputs, targets, np.random.default_rng(3), crop=crop, min_scale=min_scale, flip=True
    )
    assert (got_in.shape, got_out.shape) == ((60, crop, crop, 1), (60, crop, crop, 2))
    np.testing.assert_allclose(got_out[..., :1] - got_in, 1, atol=0.01)
    np.testing.assert_allclose(got_out[..., 1:] - got_in, 2, atol=0.01)


def test_cut_shows_squares_of_every_size_and_place() -> None:
    """What a crop shows is read off a ramp: its mean is its middle, its step the scale."""
    rows, columns = np.mgrid[:64, :64].astype(np.float32)
    ramp = np.repeat(np.stack([rows, columns], axis=-1)[None], 300, axis=0)
    inputs = np.zeros((300, 64, 64, 1), np.float32)
    _, got = crop_and_flip(inputs, ramp, np.random.default_rng(9), crop=16, min_scale=0.5, flip=False)
    steps = (got[:, 12, 8] - got[:, 4, 8])[:, 0] / 8 * 16  # rows that the crop shows
    middles = got.mean(axis=(1, 2))
    np.testing.assert_allclose(steps, (got[:, 8, 12] - got[:, 8, 4])[:, 1] / 8 * 16, atol=0.01)  # squares
    assert steps.min() >= 31.9
    assert steps.max() <= 64.1
    assert steps.min() < 34
    assert steps.max() > 62
    assert np.abs(middles - 31.5).max() < 16.1
    assert (middles.std(axis=0) > 3).all()


def test_cut_is_decided_by_its_generator() -> None:
    inputs, targets = numbered(20, 16)
    one, again, other = (
        crop_and_flip(inputs, targets, np.random.default_rng(seed), crop=8, min_scale=0.5, flip=True)[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


RANGES = {"lab": (-1.0, 1.0), "rgb": (0.0, 1.0)}


def _ramps(n: int, color_space: ColorSpace) -> Floats:
    """Every tone from black to white, once a row."""
    low, high = RANGES[color_space]
    return np.broadcast_to(np.linspace(low, high, 32, dtype=np.float32)[None, None, :, None], (n, 32, 32, 1)).copy()


@pytest.mark.parametrize("color_space", ["lab", "rgb"])
def test_aged_tones_stay_in_order_and_in_range(color_space: ColorSpace) -> None:
    ramps = _ramps(300, color_space)
    aged = age(ramps, np.random.default_rng(0), 1.0, color_space)
    low, high = RANGES[color_space]
    assert aged.dtype == np.float32
    assert (np.diff(aged, axis=2) >= 0).all()
    assert low <= aged.min() < aged.max() <= high + 1e-6
    contrast = (aged[:, 0, -1] - aged[:, 0, 0]) / (high - low)
    assert 0.35 <= contrast.min() < 0.4
    assert contrast.max() > 0.95
    lost = ((aged == low) | (aged == high)).mean(axis=(1, 2, 3))  # of the tones, at both ends
    assert lost.max() > 0.2
    soft = contrast[:, 0] < 0.9
    middle = ((aged[:, 0, 16] - aged[:, 0, 0]) / (aged[:, 0, -1] - aged[:, 0, 0]))[soft]
    assert middle.min() < 0.3 < 0.7 < middle.max()  # gamma 2 and 1/2


def test_so_many_are_aged() -> None:
    ramps = _ramps(400, "lab")
    changed = (np.abs(age(ramps, np.random.default_rng(1), 0.25, "lab") - ramps) > 1e-5).any(axis=(1, 2, 3))
    assert 65 < changed.sum() < 135  # four standard deviations
    np.testing.assert_array_equal(age(ramps, np.random.default_rng(1), 0.0, "lab"), ramps)


@pytest.mark.parametrize("color_space", ["lab", "rgb"])
def test_frames_are_flat_and_colorless_and_what_is_inside_stays(color_space: ColorSpace) -> None:
    rng = np.random.default_rng(2)
    inputs = rng.uniform(*RANGES[color_space], (200, 32, 32, 1)).astype(np.float32)
    targets = rng.uniform(0.1, 0.9, (200, 32, 32, 2 if color_space == "lab" else 3)).astype(np.float32)
    before = inputs.copy(), targets.copy()
    got_in, got_out = frame(inputs, targets, rng, 0.5, color_space)
    np.testing.assert_array_equal(inputs, before[0])
    framed = (got_in != inputs).any(axis=-1)  # [n, h, w]
    assert 60 < framed.any(axis=(1, 2)).sum() < 130
    np.testing.assert_array_equal(got_out[~framed], targets[~framed])
    assert framed.mean(axis=(1, 2)).max() <= 0.75
    for image, colors, where in zip(got_in, got_out, framed, strict=True):
        if where.any():
            [tone] = np.unique(image[where])
            assert (colors[where] == (0 if color_space == "lab" else tone)).all()
            rows, columns = np.flatnonzero(~where.all(axis=1)), np.flatnonzero(~where.all(axis=0))
            assert not where[np.ix_(rows, columns)].any()  # a rectangle is left


def test_a_frame_is_not_needed() -> None:
    inputs, targets = numbered(5, 16)
    for got, expected in zip(
        frame(inputs, targets, np.random.default_rng(0), 0.0, "lab"), (inputs, targets), strict=True
    ):
        np.testing.assert_array_equal(got, expected)
