"""The loss of a recipe, and the outputs of its model that the loss is computed from.

A model with a class head has two such outputs, colors and class logits, and the loss is a weighted sum. All others have
one. What inference uses may be a third tensor (``odds.ColorOdds``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from colorize_core.models import classes
from colorize_core.recipes import Recipe
from colorize_core.training import losses
from colorize_core.training.losses import Loss, match_resolution


class _Term(NamedTuple):
    """A part of the loss.

    Attributes:
        output: tensor of the model, colors or class logits.
        criterion: function of target and output.
        weight: factor of its result.
        has_classes: whether the output is class logits.
    """

    output: keras.KerasTensor
    criterion: Loss
    weight: float
    has_classes: bool


class Objective:
    """The loss of a recipe, for one model.

    Args:
        model: from ``recipes.network.build_model``.
        recipe: the same recipe.
        class_weights: weight of each class of ab [Q] if the recipe has classes, else None.

    Attributes:
        in_training: model whose outputs are those that ``loss`` takes, and last the colors that a discriminator sees.
        in_validation: the same, but the last output is faithful colors as inference makes them.
    """

    def __init__(self, model: keras.Model, recipe: Recipe, class_weights: keras.Variable | None) -> None:
        settings, has_head = recipe.training, recipe.model.class_head
        self._terms: list[_Term] = []
        if class_weights is None or has_head:
            output = model.outputs[-1]
            self._terms.append(_Term(output, losses.pixel_criterion(settings), 1.0, has_classes=False))
        if class_weights is not None:
            criterion = losses.class_criterion(settings, class_weights)
            weight = settings.class_loss if has_head else 1.0
            self._terms.append(_Term(model.get_layer("logits").output, criterion, weight, has_classes=True))
        outputs = [term.output for term in self._terms]
        colors = model.outputs[0][..., :2] if has_head else model.output
        self.in_training = keras.Model(model.input, [*outputs, model.outputs[-1]])
        self.in_validation = keras.Model(model.input, [*outputs, colors])

    def loss(self, targets: keras.KerasTensor, outputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """Returns the loss, one number.

        Args:
            targets: true colors [n, h, w, c].
            outputs: from ``in_training`` without the last one, at the resolution of the targets or a fraction.
        """
        values = [
            term.weight * term.criterion(match_resolution(targets, output), output)
            for term, output in zip(self._terms, outputs, strict=True)
        ]
        return sum(values[1:], start=values[0])

    def gray_loss(
        self, targets: keras.KerasTensor, gray: keras.KerasTensor, outputs: Sequence[keras.KerasTensor]
    ) -> keras.KerasTensor:
        """Returns the loss of the gray copy [n, h, w, c]. Logits have no gray; equal odds stand for it."""
        substitutes = [
            ops.zeros_like(output) if term.has_classes else match_resolution(gray, output)
            for term, output in zip(self._terms, outputs, strict=True)
        ]
        return self.loss(targets, substitutes)


def equal_class_weights(recipe: Recipe) -> keras.Variable | None:
    """Returns a variable with a weight of 1 for each class of ab [Q]; None if the recipe has no classes."""
    if not recipe.has_classes:
        return None
    ones = np.ones(len(classes.ab_bins(recipe.training.ab_step)), np.float32)
    return keras.Variable(ones, trainable=False, dtype="float32")
