"""Model, optimizers and compiled steps, mirrored over all workers.

``Model.fit`` fails under MultiWorkerMirroredStrategy with Keras 3 (keras#20585), so the steps are our own. Gradients
are summed over the replicas, hence each replica divides its loss by their number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import bundle, models
from colorize_core.color import Floats
from colorize_core.recipes import Recipe
from colorize_core.training.averaging import Average
from colorize_core.training.batches import Batch
from colorize_core.training.checkpoints import Arrays

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

VALIDATION = ("val_loss", "val_gray_loss", "val_mse", "val_gray_mse")


class Replicas:
    """One worker's replica of the training.

    Args:
        recipe: what to train.
        strategy: that the worker is part of.
        steps: of an epoch.
        compile_all: whether XLA compiles forward and backward pass; for a single GPU.
        class_weights: of each class of ab [Q], where the loss is ab-classification.
    """

    def __init__(
        self,
        recipe: Recipe,
        strategy: tf.distribute.Strategy,
        steps: int,
        *,
        compile_all: bool = False,
        class_weights: Floats | None = None,
    ) -> None:
        import keras

        from colorize_core.training import adversarial, schedules
        from colorize_core.training.optimizer import AdamW

        settings = recipe.training
        keras.utils.set_random_seed(settings.seed)
        self._strategy = strategy
        self._gan = settings.gan
        with strategy.scope():
            self.model = models.of_recipe(recipe)
            encoder: list[Any] = []
            if recipe.model.encoder:
                models.load_encoder(self.model, recipe.model.encoder, recipe.model.encoder_weights)
            if recipe.model.start != "none":
                bundle.start_from(self.model, recipe.model.start)
            if recipe.model.encoder:
                encoder = models.encoder_variables(self.model, frozen=settings.encoder_rate == 0)
            known = {id(variable) for variable in encoder}
            others = [variable for variable in self.model.trainable_variables if id(variable) not in known]
            self._parts = []  # optimizer, what it changes
            for variables, rate in ((others, 1.0), (encoder, settings.encoder_rate)):
                if variables:
                    schedule = schedules.Schedule(settings, steps * settings.epochs, rate)
                    optimizer = AdamW(schedule, weight_decay=settings.weight_decay)
                    self._parts.append((optimizer, variables))
            self._networks = {"model": self.model}
            self._average = (
                Average(self.model, models.of_recipe(recipe), settings.average) if settings.average else None
            )
            if self._average:
                self._networks["average"] = self._average.mean
            if self._gan:
                judge = adversarial.discriminator(2 if recipe.data.color_space == "lab" else 3)
                optimizer = keras.optimizers.Adam(adversarial.LEARNING_RATE, adversarial.BETA_1)
                self._networks["discriminator"] = judge
                self._parts.append((optimizer, judge.trainable_variables))
            for optimizer, variables in self._parts:
                optimizer.build(variables)
        self._criterion = _criterion(recipe, class_weights)
        self._kept = self._average.mean if self._average else self.model
        self._judged, self._judged_kept = (_with_judged(model, class_weights) for model in (self.model, self._kept))
        self._gray_is_zero = recipe.data.color_space == "lab"
        self._train_step = self._on_all(self._gan_step if self._gan else self._step(compile_all))
        self._validate_step = self._on_all(self._validate)

    def train(self, batches: Iterator[Batch], on_step: Callable[[], None] = lambda: None) -> float:
        """One epoch; the mean loss over its batches. Raises FloatingPointError where it is no number."""
        from keras import ops

        values = []
        for inputs, targets in batches:
            values.append(self._train_step(inputs, targets))
            if self._average:
                self._average.follow(int(ops.convert_to_numpy(self._parts[0][0].iterations)))
            on_step()
        loss = float(np.mean([float(value) for value in values]))
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss}")
        return loss

    def validate(self, batches: Iterator[Batch]) -> dict[str, float]:
        """Loss and mean squared error over all validation images, of the model and of predicting gray.

        Raises FloatingPointError where one is no number.
        """
        sums, images = np.zeros(len(VALIDATION)), 0
        for inputs, targets in batches:
            sums += len(inputs) * np.array([float(value) for value in self._validate_step(inputs, targets)])
            images += len(inputs)
        if not np.isfinite(sums).all():
            raise FloatingPointError(f"validation gives {sums / images}")
        return dict(zip(VALIDATION, (sums / images).tolist(), strict=True))

    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the model says now, without the strategy."""
        prediction: NDArray[np.float32] = np.asarray(self._kept(inputs, training=False))
        return prediction

    def rate(self) -> float:
        """The learning rate of the last step."""
        return float(self._parts[0][0].learning_rate)

    def weights(self) -> Arrays:
        """The model alone: of the mean of its weights, where the recipe has one."""
        return _values("model", self._kept.variables)

    def state(self) -> Arrays:
        """All variables: of the networks with their random generators, and of their optimizers."""
        made: Arrays = {}
        for prefix, variables in self._variables():
            made |= _values(prefix, variables)
        return made

    def restore(self, arrays: Arrays) -> None:
        """Goes back to a state. Raises KeyError or ValueError where it is of another training."""
        for prefix, variables in self._variables():
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"{prefix}/{i:04d}"])

    def _variables(self) -> Iterator[tuple[str, list[Any]]]:
        yield from ((name, network.variables) for name, network in self._networks.items())
        yield from ((f"optimizer{i}", optimizer.variables) for i, (optimizer, _) in enumerate(self._parts))

    def _on_all(self, step: Callable[..., Any]) -> Callable[..., Any]:
        import tensorflow as tf

        def run(inputs: tf.Tensor, targets: tf.Tensor) -> Any:
            results = self._strategy.run(step, args=(inputs, targets))
            return tf.nest.map_structure(lambda value: self._strategy.reduce("SUM", value, axis=None), results)

        compiled: Callable[..., Any] = tf.function(run, reduce_retracing=True, autograph=False)
        return compiled

    def _step(self, compile_all: bool) -> Callable[..., Any]:
        """A training step by the pixel loss alone."""
        import tensorflow as tf

        from colorize_core.training import losses

        variables = [changed for _, changed in self._parts]

        def gradients(inputs: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
            with tf.GradientTape() as tape:
                prediction, judged = self._judged(inputs, training=True)
                loss = self._criterion(losses.match_resolution(targets, prediction), judged)
                loss = loss / self._strategy.num_replicas_in_sync
            return loss, tape.gradient(loss, variables)

        compiled = tf.function(gradients, jit_compile=True) if compile_all else gradients

        def step(inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
            loss, found = compiled(inputs, targets)
            self._apply(found)
            return loss

        return step

    def _gan_step(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """A step of both networks; gives the pixel loss."""
        import tensorflow as tf

        from colorize_core.training import adversarial, losses

        replicas = self._strategy.num_replicas_in_sync
        judge = self._networks["discriminator"]
        *own, judge_variables = [changed for _, changed in self._parts]
        with tf.GradientTape() as tape, tf.GradientTape() as judging:
            prediction, criticized = self._judged(inputs, training=True)
            target = losses.match_resolution(targets, prediction)
            seen = losses.match_resolution(inputs, prediction)
            pixel_loss = self._criterion(target, criticized) / replicas
            judged = judge([seen, prediction], training=True)
            loss = pixel_loss + self._gan * adversarial.generator_loss(judged) / replicas
            apart = judge([seen, tf.stop_gradient(prediction)], training=True)
            true = judge([seen, target], training=True)
            judge_loss = adversarial.discriminator_loss(true, apart) / replicas
        self._apply([*tape.gradient(loss, own), judging.gradient(judge_loss, judge_variables)])
        return pixel_loss

    def _apply(self, gradients: list[list[tf.Tensor]]) -> None:
        for (optimizer, variables), found in zip(self._parts, gradients, strict=True):
            optimizer.apply(found, variables)

    def _validate(self, inputs: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, ...]:
        import tensorflow as tf

        from colorize_core.training import losses

        prediction, judged = self._judged_kept(inputs, training=False)
        target = losses.match_resolution(targets, prediction)
        copy = tf.zeros_like(targets) if self._gray_is_zero else tf.repeat(inputs, 3, axis=-1)
        gray = losses.match_resolution(copy, prediction)
        same = judged.shape[-1] == prediction.shape[-1]  # else classes, which nothing but equal odds is gray to
        figures = [self._criterion(target, judged), self._criterion(target, gray if same else tf.zeros_like(judged))]
        figures += [tf.reduce_mean(losses.mse(target, made)) for made in (prediction, gray)]
        return tuple(figure / self._strategy.num_replicas_in_sync for figure in figures)


def _with_judged(model: keras.Model, class_weights: Floats | None) -> keras.Model:
    """Its colors, and what the loss is of: the same, or the odds of the classes that they come of."""
    import keras

    judged = model.output if class_weights is None else model.get_layer("logits").output
    return keras.Model(model.input, [model.output, judged])


def _criterion(recipe: Recipe, class_weights: Floats | None) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Loss of a target and what is judged, both [n, h, w, c]; one number."""
    from keras import ops

    from colorize_core.models import classes
    from colorize_core.training import losses

    settings = recipe.training
    if class_weights is not None:
        bins = classes.ab_bins(settings.ab_step)
        return lambda target, logits: losses.cross_entropy(target, logits, bins, class_weights)
    pixel_loss = losses.LOSSES[settings.loss]

    def criterion(target: tf.Tensor, made: tf.Tensor) -> tf.Tensor:
        means = losses.weighted_means(pixel_loss(target, made), target, settings.rebalance)
        return ops.mean(losses.decibels(means) if settings.loss == "psnr" else means)

    return criterion


def _values(prefix: str, variables: list[Any]) -> Arrays:
    from keras import ops

    return {f"{prefix}/{i:04d}": ops.convert_to_numpy(variable) for i, variable in enumerate(variables)}
