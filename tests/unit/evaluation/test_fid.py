from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from colorize_core.errors import UserError
from colorize_core.evaluation.fid import FeatureNetwork, Moments, check_images, frechet_distance


def _moments(features: np.ndarray, batch: int = 7) -> Moments:
    moments = Moments()
    for start in range(0, len(features), batch):
        moments.add(features[start : start + batch])
    return moments


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_moments_of_batches_are_those_of_the_whole(batch: int) -> None:
    features = np.random.default_rng(0).normal(3, 2, (100, 5)).astype(np.float32)
    moments = _moments(features, batch)
    np.testing.assert_allclose(moments.mean, features.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(moments.covariance, np.cov(features, rowvar=False), rtol=1e-5)


def test_distance_is_the_textbook_formula() -> None:
    rng = np.random.default_rng(1)
    one, other = (rng.normal(0, 1, (60, 6)) @ rng.normal(0, 1, (6, 6)) + rng.normal(0, 1, 6) for _ in range(2))
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = linalg.sqrtm(first @ second).real
    expected = np.square(one.mean(axis=0) - other.mean(axis=0)).sum() + np.trace(first + second - 2 * root)
    assert frechet_distance(_moments(one), _moments(other)) == pytest.approx(expected, rel=1e-8)


def test_distance_by_hand() -> None:
    """In one dimension it is (m1 - m2)^2 + (s1 - s2)^2."""
    one, other = np.array([[0.0], [2.0]]), np.array([[3.0], [11.0]])  # means 1 and 7, variances 2 and 32
    assert frechet_distance(_moments(one), _moments(other)) == pytest.approx(36 + (32**0.5 - 2**0.5) ** 2)


def test_distance_of_equal_moments_is_zero_even_of_few_images() -> None:
    few = np.random.default_rng(2).normal(0, 1, (4, 30))  # the covariance has rank 3 of 30
    assert frechet_distance(_moments(few), _moments(few[::-1])) == pytest.approx(0, abs=1e-6)


def test_few_images_are_refused_unless_forced() -> None:
    check_images(2048, FeatureNetwork("imagenet"))
    check_images(12, FeatureNetwork("imagenet", min_images=2))
    with pytest.raises(UserError, match=r"too few images .*: 2047, and 2048 are needed\. .* --fid-anyway"):
        check_images(2047, FeatureNetwork("imagenet"))
    with pytest.raises(UserError, match=r"too few images .*: 1, and 2 are needed"):
        check_images(1, FeatureNetwork("imagenet", min_images=1))
