"""Losses between a prediction and a target of the same resolution.

``l1``, ``mse`` and ``huber`` take two tensors [n, h, w, c] and return the loss of each value, [n, h, w, c].
"""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from colorize_core.color import AB_SCALE, Floats
from colorize_core.models import classes
from colorize_core.recipes import TrainingSettings

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]

_NEIGHBORS = 5  # bins among which the target of a pixel is shared
_HUBER_DELTA = 0.05  # in units of ab / 128: 6 units of ab, about the smallest clearly visible difference
_INVISIBLE_MSE = (5 / AB_SCALE) ** 2  # an image with a smaller error gains little from improving further


def l1(target: keras.KerasTensor, prediction: keras.KerasTensor) -> keras.KerasTensor:
    """Returns |p - t|."""
    return ops.abs(prediction - target)


def mse(target: keras.KerasTensor, prediction: keras.KerasTensor) -> keras.KerasTensor:
    """Returns (p - t)^2."""
    return ops.square(prediction - target)


def huber(target: keras.KerasTensor, prediction: keras.KerasTensor) -> keras.KerasTensor:
    """Returns (p - t)^2 / 2d where |p - t| < d, else |p - t| - d / 2 (Huber 1964, divided by d)."""
    distance = ops.abs(prediction - target)
    near = ops.square(distance) / (2 * _HUBER_DELTA)
    return ops.where(distance < _HUBER_DELTA, near, distance - _HUBER_DELTA / 2)


LOSSES: dict[str, Loss] = {
    "l1": l1,
    "mse": mse,
    "huber": huber,
    "psnr": mse,
}  # psnr: `decibels` of the mse of each image


def cross_entropy(
    target: keras.KerasTensor, logits: keras.KerasTensor, bins: Floats, weights: keras.Variable | Floats
) -> keras.KerasTensor:
    """Returns the mean over all pixels of the weighted cross entropy between target and class logits; one number.

    A target is shared among its 5 nearest bins by a Gaussian with a sigma of half a step of their grid (5 units of ab
    at a step of 10), and has the weight of the nearest bin (Zhang et al. 2016, arXiv:1603.08511, sections 2.1 and 2.2).

    Args:
        target: ab / 128 [n, h, w, 2].
        logits: [n, h, w, Q], of the same resolution.
        bins: centers [Q, 2] in units of ab, from ``classes.ab_bins``.
        weights: [Q], from ``classes.class_weights``.
    """
    sigma = float(np.diff(np.unique(bins[:, 0])).min()) / 2
    ab = ops.cast(target, "float32") * AB_SCALE
    # -|ab - bin|^2 + |ab|^2; the last term is the same for all bins.
    closeness = 2 * ops.matmul(ab, bins.T) - np.square(bins).sum(axis=1)  # [n, h, w, Q]
    nearest = ops.top_k(closeness, _NEIGHBORS)[1]  # [n, h, w, 5]
    distances = ops.sum(ops.square(ab[..., None, :] - ops.take(bins, nearest, axis=0)), axis=-1)
    shares = ops.softmax(-distances / (2 * sigma**2), axis=-1)  # Gaussians, normalized to a sum of 1
    negative_log = -ops.take_along_axis(ops.log_softmax(ops.cast(logits, "float32"), axis=-1), nearest, axis=-1)
    return ops.mean(ops.take(weights, nearest[..., 0], axis=0) * ops.sum(shares * negative_log, axis=-1))


def decibels(errors: keras.KerasTensor) -> keras.KerasTensor:
    """Returns 10 log10(1 + e / e0) of the mean squared error e of each image; e0 is the error of 5 units of ab.

    Its mean over images rises as their mean PSNR falls. Halving the error counts alike in a gray photograph and in a
    colorful one. If two colorings are possible, this loss prefers either to a mixture; the mean squared error does not.
    After the PSNR loss of Chen et al. 2021 (HINet, arXiv:2105.06086), which has no e0.
    """
    return ops.log1p(errors / _INVISIBLE_MSE) * (10 / math.log(10))


def weighted_means(values: keras.KerasTensor, target: keras.KerasTensor, rebalance: float) -> keras.KerasTensor:
    """Returns the weighted mean over the pixels of each image, [n].

    The weight of a pixel is 1 + ``rebalance`` * chroma of its target, in the unit of the target. Most pixels of
    photographs are almost gray. Unweighted, they pull every doubtful color to gray (Zhang et al. 2016,
    arXiv:1603.08511, section 2.2, where the weights come from the frequency of the color).
    """
    if not rebalance:
        return ops.mean(values, axis=(1, 2, 3))
    weights = 1 + rebalance * ops.sqrt(ops.sum(ops.square(target), axis=-1, keepdims=True))
    # Not divided by the mean weight, which differs between workers: so the mean over workers equals that of the batch.
    return ops.mean(weights * values, axis=(1, 2, 3))


def match_resolution(target: keras.KerasTensor, prediction: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the target, averaged down to the prediction's resolution; both are [n, h, w, c] with known h and w."""
    factor = target.shape[1] // prediction.shape[1]
    return ops.average_pool(target, factor, factor) if factor > 1 else target


def class_criterion(settings: TrainingSettings, class_weights: keras.Variable) -> Loss:
    """Returns the loss of classes, a function of ab / 128 and logits of the same resolution to one number.

    Args:
        settings: section ``training`` of the recipe.
        class_weights: weight of each class of ab [Q].
    """
    bins = classes.ab_bins(settings.ab_step)
    return lambda target, logits: cross_entropy(target, logits, bins, class_weights)


def pixel_criterion(settings: TrainingSettings) -> Loss:
    """Returns the loss of colors, a function of target and colors, both [n, h, w, c], to one number."""
    pixel_loss = LOSSES[settings.loss]

    def mean_loss(target: keras.KerasTensor, prediction: keras.KerasTensor) -> keras.KerasTensor:
        means = weighted_means(pixel_loss(target, prediction), target, settings.rebalance)
        return ops.mean(decibels(means) if settings.loss == "psnr" else means)

    return mean_loss
