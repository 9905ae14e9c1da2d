"""Losses between a prediction and a target of the same resolution, both [n, h, w, c]; one value [n, h, w, c] each."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import ops

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]

_HUBER_DELTA = 0.05  # of ab / 128: 6 units, about where a difference becomes plain to the eye


def l1(target: keras.KerasTensor, prediction: keras.KerasTensor) -> keras.KerasTensor:
    """|p - t|"""
    return ops.abs(prediction - target)


def mse(target: keras.KerasTensor, prediction: keras.KerasTensor) -> keras.KerasTensor:
    """(p - t)^2"""
    return ops.square(prediction - target)


def huber(target: keras.KerasTensor, prediction: keras.KerasTensor) -> keras.KerasTensor:
    """(p - t)^2 / 2d where |p - t| < d, else |p - t| - d / 2 (Huber 1964, divided by d)."""
    distance = ops.abs(prediction - target)
    near = ops.square(distance) / (2 * _HUBER_DELTA)
    return ops.where(distance < _HUBER_DELTA, near, distance - _HUBER_DELTA / 2)


LOSSES: dict[str, Loss] = {"l1": l1, "mse": mse, "huber": huber}


def weighted_mean(values: keras.KerasTensor, target: keras.KerasTensor, rebalance: float) -> keras.KerasTensor:
    """Mean over all pixels, each with weight 1 + ``rebalance`` * chroma of its target, in the target's unit.

    Most pixels of photographs are almost gray. Unweighted, they pull every doubtful color to gray (Zhang et al. 2016,
    arXiv:1603.08511, section 2.2, where the weights come from the frequency of the color).
    """
    if not rebalance:
        return ops.mean(values)
    weights = 1 + rebalance * ops.sqrt(ops.sum(ops.square(target), axis=-1, keepdims=True))
    # Not divided by the mean weight, which differs from worker to worker: the mean over workers is that of the batch.
    return ops.mean(weights * values)


def match_resolution(target: keras.KerasTensor, prediction: keras.KerasTensor) -> keras.KerasTensor:
    """The target averaged down to the prediction's resolution; both [n, h, w, c] of known h and w."""
    factor = target.shape[1] // prediction.shape[1]
    return ops.average_pool(target, factor, factor) if factor > 1 else target
