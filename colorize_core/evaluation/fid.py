"""Fréchet distance between the features of two sets of images (Heusel et al. 2017, arXiv:1706.08500).

With the last pooled features of InceptionV3 the distance is called FID. Two distances compare only if network, weights
and number of images are the same. Keras' weights are not those of the first implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core.errors import RecipeError, UserError
from colorize_core.images import resizing
from colorize_core.runtime import local

NETWORK = "InceptionV3"
MIN_IMAGES = 2048  # the number of InceptionV3's features: with fewer images, the covariance lacks rank, FID is biased
_SIDE = 299  # pixels on which InceptionV3 was trained


@dataclass(frozen=True)
class FeatureNetwork:
    """The network whose features the Fréchet distance compares.

    Attributes:
        weights: a file, or ``imagenet``, which Keras downloads.
        name: a network of keras.applications.
        min_images: smallest number of images for which a distance is computed, at least 2. A distance over fewer than
            ``MIN_IMAGES`` is only good for comparing bundles on the same images.
    """

    weights: str
    name: str = NETWORK
    min_images: int = MIN_IMAGES


class Moments:
    """Mean and covariance of features that arrive in batches. Takes memory for d x d numbers, however many images."""

    def __init__(self) -> None:
        self.n = 0
        self._mean: NDArray[np.float64] = np.zeros(0)
        self._scatter: NDArray[np.float64] = np.zeros((0, 0))

    def add(self, features: NDArray[Any]) -> None:
        """Adds features [n, d] (Chan, Golub and LeVeque 1983)."""
        batch = features.astype(np.float64)
        mean = batch.mean(axis=0)
        scatter = (batch - mean).T @ (batch - mean)
        if not self.n:
            self.n, self._mean, self._scatter = len(batch), mean, scatter
            return
        total = self.n + len(batch)
        step = mean - self._mean
        self._scatter += scatter + np.outer(step, step) * (self.n * len(batch) / total)
        self._mean += step * (len(batch) / total)
        self.n = total

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean [d]."""
        return self._mean

    @property
    def covariance(self) -> NDArray[np.float64]:
        """The unbiased covariance [d, d]."""
        return self._scatter / (self.n - 1)


def frechet_distance(one: Moments, other: Moments) -> float:
    """Returns |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)), at least 0; 0 if the moments are equal."""
    from scipy import linalg

    first, second = one.covariance, other.covariance
    # (C1 C2)^(1/2) has the trace of (R C2 R)^(1/2) with R = C1^(1/2), which is symmetric: no complex roots.
    values, vectors = linalg.eigh(first)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    shared = np.sqrt(np.clip(linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    distance = np.square(one.mean - other.mean).sum() + np.trace(first) + np.trace(second) - 2 * shared
    return max(0.0, float(distance))


def check_images(images: int, network: FeatureNetwork) -> None:
    """Raises UserError if there are too few images for the Fréchet distance."""
    needed = max(2, network.min_images)
    if images < needed:
        raise UserError(
            f"DATA has too few images for a Fréchet distance: {images}, and {needed} are needed. Add images, or use "
            "--fid-anyway to compare bundles on these images only"
        )


def check_network(network: FeatureNetwork) -> None:
    """Builds the network once, in a child process, because TensorFlow would keep memory in this process.

    Raises:
        RecipeError: there is no such network, or its weights cannot be read.
    """
    with local.Pool() as pool:
        list(pool.run([network], _builder))


def _builder(threads: int) -> Callable[[FeatureNetwork, int], None]:
    def build(network: FeatureNetwork, deaths: int) -> None:
        Features(network)

    return build


class Features:
    """The network without its top, with global average pooling: one feature vector per image.

    Raises:
        RecipeError: there is no such network, or its weights cannot be read.
    """

    def __init__(self, network: FeatureNetwork) -> None:
        import keras

        from colorize_core.models import encoders

        if not isinstance(getattr(keras.applications, network.name, None), FunctionType):
            raise RecipeError(f"--fid-network {network.name} is not in keras.applications; the default is {NETWORK}")
        body = encoders.application_with(network.name, network.weights)
        pooled = keras.layers.GlobalAveragePooling2D()(body.output)
        self._model = keras.Model(body.input, pooled)
        self._scale, self._offset = encoders.expected_range(network.name, "rgb")

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Returns features [n, d] of sRGB images [H, W, 3] of any size; each is resized to 299 x 299 first."""
        inputs = np.stack([resizing.resize(image, (_SIDE, _SIDE)) for image in images]).astype(np.float32) / 255
        features: NDArray[np.float32] = np.asarray(self._model(inputs * self._scale + self._offset, training=False))
        return features
