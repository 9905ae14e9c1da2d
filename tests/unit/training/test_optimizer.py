"""AdamW in one operation per weight does what Keras' own does."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from colorize_core.training.optimizer import AdamW


def after_steps(kind: type[keras.optimizers.Optimizer]) -> list[Any]:
    """Weights and optimizer's variables after some steps on noise."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dense(2)])
    optimizer = kind(keras.optimizers.schedules.CosineDecay(0.01, 20), weight_decay=0.05)
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False)
    def step(inputs: tf.Tensor, targets: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(inputs) - targets) ** 2)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    rng = np.random.default_rng(0)
    for _ in range(10):
        step(*(tf.constant(rng.normal(size=(16, n)), tf.float32) for n in (4, 2)))
    return [keras.ops.convert_to_numpy(variable) for variable in (*model.variables, *optimizer.variables)]


def test_it_is_adamw() -> None:
    for made, expected in zip(after_steps(AdamW), after_steps(keras.optimizers.AdamW), strict=True):
        np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-6)
