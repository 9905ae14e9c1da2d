"""Statistics of parts add up to those that NumPy and scikit-image compute for all images at once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import color as reference

from colorize_core.datasets import statistics
from colorize_core.datasets.statistics import CHANNELS, ChannelSums


@pytest.fixture(scope="module")
def images(photographs: dict[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return np.stack([rgb[i * 40 : i * 40 + 32, 100:132] for rgb in photographs.values() for i in range(5)])


def test_lab_is_that_of_scikit_image_within_the_tolerance_of_opencv(images: NDArray[np.uint8]) -> None:
    difference = np.abs(statistics.to_lab(images) - reference.rgb2lab(images))
    assert difference.max() < 0.5
    assert difference.mean() < 0.1


def test_mean_chroma_is_that_of_each_image(images: NDArray[np.uint8]) -> None:
    lab = reference.rgb2lab(images)
    expected = np.sqrt(lab[..., 1] ** 2 + lab[..., 2] ** 2).mean(axis=(1, 2))
    np.testing.assert_allclose(statistics.mean_chroma(statistics.to_lab(images)), expected, atol=0.3)
    gray = np.repeat(images[..., :1], 3, axis=-1)
    assert statistics.mean_chroma(statistics.to_lab(gray)).max() < 0.15  # OpenCV rounds to 1/64


def test_parts_add_up_to_the_whole(images: NDArray[np.uint8]) -> None:
    parts = [ChannelSums.of(part, statistics.to_lab(part)) for part in np.split(images, [1, 7, 15])]
    summary = sum(parts, ChannelSums.zero()).summary()
    gray = images @ np.array([0.299, 0.587, 0.114]) / 255
    planes = dict(
        zip(
            CHANNELS,
            [*np.moveaxis(images / 255, -1, 0), gray, *np.moveaxis(reference.rgb2lab(images), -1, 0)],
            strict=True,
        )
    )
    assert list(summary) == list(CHANNELS)
    for name, plane in planes.items():
        tolerance = 1e-4 if name in ("R", "G", "B", "gray") else 0.1  # OpenCV's Lab
        assert summary[name]["mean"] == pytest.approx(plane.mean(), abs=tolerance), name
        assert summary[name]["std"] == pytest.approx(plane.std(), abs=tolerance), name


def test_of_nothing_there_are_no_figures() -> None:
    assert ChannelSums.zero().summary() == {}


def test_a_fingerprint_is_of_the_set_whatever_its_order_and_parts() -> None:
    names, checksums = [f"{i}.jpg" for i in range(20)], list(range(20))
    whole = statistics.fingerprint(names, checksums)
    assert statistics.fingerprint(names[::-1], checksums[::-1]) == whole
    parts = [statistics.fingerprint(names[i::3], checksums[i::3]) for i in range(3)]
    assert statistics.add_fingerprints(parts) == whole < 2**256
    assert statistics.fingerprint(names, [*checksums[:-1], 99]) != whole
    assert statistics.fingerprint([*names[:-1], "x"], checksums) != whole
    assert statistics.fingerprint(names[:-1], checksums[:-1]) != whole
    assert statistics.fingerprint(names, [checksums[1], checksums[0], *checksums[2:]]) != whole
