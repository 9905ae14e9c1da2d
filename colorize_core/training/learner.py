"""The model, its optimizers and its compiled training step, replicated over all workers.

``Model.fit`` fails under MultiWorkerMirroredStrategy with Keras 3 (keras#20585), so the steps are written here.
Gradients are summed over the replicas, so each replica divides its loss by the number of replicas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import models
from colorize_core.color import CHANNELS, Floats
from colorize_core.recipes import Recipe
from colorize_core.recipes.network import build_model
from colorize_core.training.averaging import WeightAverage
from colorize_core.training.batches import Batch
from colorize_core.training.checkpoints import Arrays

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from colorize_core.models.classes import Odds


class Learner:
    """One worker's replica of the model and its optimizers. Call ``plan`` before the first step.

    Args:
        recipe: what to train.
        strategy: TensorFlow's distribution strategy, which connects the workers.
        compile_all: whether XLA compiles forward and backward pass; for a single GPU.

    Attributes:
        model: the colorizer: gray or L [n, h, w, 1] -> colors [n, h/s, w/s, 2 or 3].

    Raises:
        UserError: the model cannot be built, or the weights that training starts from cannot be read.
    """

    def __init__(self, recipe: Recipe, strategy: tf.distribute.Strategy, *, compile_all: bool = False) -> None:
        import keras

        from colorize_core.training import adversarial, objective, schedules, start
        from colorize_core.training.optimizer import AdamW

        settings = recipe.training
        keras.utils.set_random_seed(settings.seed)
        self._recipe = recipe
        self._strategy = strategy
        self._gan = settings.gan
        with strategy.scope():
            self.model = build_model(recipe)
            encoder: list[Any] = []
            if recipe.model.encoder:
                models.load_encoder(self.model, recipe.model.encoder, recipe.model.encoder_weights)
            if recipe.model.start != "none":
                start.load_weights(self.model, recipe.model.start)
            if recipe.model.encoder:
                encoder = models.encoder_variables(self.model, frozen=settings.encoder_rate == 0)
            encoder_ids = {id(variable) for variable in encoder}
            others = [variable for variable in self.model.trainable_variables if id(variable) not in encoder_ids]
            self._schedules = []
            self._parts = []  # pairs of an optimizer and the variables that it updates
            for variables, rate in ((others, 1.0), (encoder, settings.encoder_rate)):
                if variables:
                    schedule = schedules.Schedule(settings, rate)
                    self._schedules.append(schedule)
                    optimizer = AdamW(schedule, weight_decay=settings.weight_decay)
                    self._parts.append((optimizer, variables))
            self._networks = {"model": self.model}
            if self._gan:
                discriminator = adversarial.discriminator(CHANNELS[recipe.data.color_space])
                optimizer = keras.optimizers.Adam(adversarial.LEARNING_RATE, adversarial.BETA_1)
                self._networks["discriminator"] = discriminator
                self._parts.append((optimizer, discriminator.trainable_variables))
            for optimizer, variables in self._parts:
                optimizer.build(variables)
            self._class_weights = objective.equal_class_weights(recipe)
        self._average = WeightAverage(self.model.variables, settings.average) if settings.average else None
        self._inference_model = models.inference_model(self.model)
        self._objective = objective.Objective(self.model, recipe, self._class_weights)
        self._gray_is_zero = recipe.data.color_space == "lab"
        self._train_step = self._on_all_replicas(self._gan_step if self._gan else self._step(compile_all))
        self._validate_step = self._on_all_replicas(self._validate)

    def plan(self, steps: int, class_weights: Floats | None = None) -> None:
        """Sets what depends on the data: the schedule's length and the class weights.

        Args:
            steps: number of steps in an epoch.
            class_weights: weight of each class of ab [Q] if the recipe has classes, else None. A class head that
                training starts from keeps the weights with which it was taught.
        """
        for schedule in self._schedules:
            schedule.plan(steps * self._recipe.training.epochs)
        if self._class_weights is None or class_weights is None:
            return
        if self._recipe.model.class_head:
            log_weights = self.model.get_layer("odds").log_weights
            if self._recipe.model.start == "none":
                self._set_constant(log_weights, np.log(class_weights))
            class_weights = np.exp(log_weights)
        self._class_weights.assign(class_weights)

    def trace(self, batch_size: int) -> None:
        """Traces the training step for batches of ``batch_size`` images. The first step then only compiles it."""
        import tensorflow as tf

        data = self._recipe.data
        shape = (batch_size, data.crop, data.crop)
        self._train_step.get_concrete_function(  # type: ignore[attr-defined]
            *(tf.TensorSpec((*shape, channels), tf.float32) for channels in (1, CHANNELS[data.color_space]))
        )

    def train(self, batches: Iterator[Batch], on_step: Callable[[], None] = lambda: None) -> float:
        """Trains one epoch, and returns the mean loss over its batches. Raises FloatingPointError if it is not finite.

        Args:
            batches: pairs of inputs [n, h, w, 1] and targets [n, h, w, 2 or 3].
            on_step: called after each step.
        """
        from keras import ops

        values = []
        for inputs, targets in batches:
            values.append(self._train_step(inputs, targets))
            if self._average:
                self._average.update(int(ops.convert_to_numpy(self._parts[0][0].iterations)))
            on_step()
        loss = float(np.mean([float(value) for value in values]))
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss}")
        return loss

    def validate(self, batches: Iterator[Batch]) -> dict[str, float]:
        """Returns loss and mean squared error over all validation images, for the model and for the gray copy.

        The keys are ``val_loss``, ``val_gray_loss``, ``val_mse`` and ``val_gray_mse``. Raises FloatingPointError if a
        value is not finite.
        """
        sums: dict[str, float] = {}
        images = 0
        with self.averaged():
            for inputs, targets in batches:
                for name, value in self._validate_step(inputs, targets).items():
                    sums[name] = sums.get(name, 0.0) + len(inputs) * float(value)
                images += len(inputs)
        means = {name: total / images for name, total in sums.items()}
        if not all(map(math.isfinite, means.values())):
            raise FloatingPointError(f"validation gives {means}")
        return means

    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the model's output for inputs [n, h, w, 1], computed outside the distribution strategy."""
        with self.averaged():
            prediction: NDArray[np.float32] = np.asarray(self._inference_model(inputs, training=False))
        return prediction

    def logits(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Returns logits [n, h, w, Q] of a class head for inputs [n, h, w, 1], and log w of its classes [Q]."""
        outputs = self._objective.in_validation(inputs, training=False)
        return np.asarray(outputs[-2]), np.asarray(self.model.get_layer("odds").log_weights)

    def set_odds(self, faithful: Odds, vivid: Odds) -> None:
        """Sets the odds from which the colors of a class head are taken."""
        layer = self.model.get_layer("odds")
        self._set_constant(layer.faithful, np.array(faithful))
        self._set_constant(layer.vivid, np.array(vivid))

    def _set_constant(self, variable: keras.Variable, value: NDArray[Any]) -> None:
        """Sets a weight that no step changes."""
        variable.assign(value)
        if self._average:
            self._average.set_constant(variable)

    def averaged(self) -> AbstractContextManager[None]:
        """Returns a context in which the model has averaged weights, if the recipe asks for averaging."""
        return self._average.in_place() if self._average else nullcontext()

    def rate(self) -> float:
        """Returns the learning rate of the last step."""
        return float(self._parts[0][0].learning_rate)

    def weights(self) -> Arrays:
        """Returns the model's weights by name; averaged weights if the recipe asks for averaging."""
        with self.averaged():
            return _values("model", self.model.variables)

    def state(self) -> Arrays:
        """Returns all variables by name: networks with their random generators, optimizers, and averaged weights."""
        arrays: Arrays = {}
        for prefix, variables in self._variables():
            arrays |= _values(prefix, variables)
        if self._average:
            arrays |= {f"average/{i:04d}": value for i, value in enumerate(self._average.mean)}
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Restores a state. Raises KeyError or ValueError if it is the state of another training."""
        for prefix, variables in self._variables():
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"{prefix}/{i:04d}"])
        if self._average:
            self._average.mean = [arrays[f"average/{i:04d}"] for i in range(len(self._average.mean))]

    def _variables(self) -> Iterator[tuple[str, list[Any]]]:
        yield from ((name, network.variables) for name, network in self._networks.items())
        yield from ((f"optimizer{i}", optimizer.variables) for i, (optimizer, _) in enumerate(self._parts))

    def _on_all_replicas(self, step: Callable[..., Any]) -> Callable[..., Any]:
        import tensorflow as tf

        def run(inputs: tf.Tensor, targets: tf.Tensor) -> Any:
            results = self._strategy.run(step, args=(inputs, targets))
            return tf.nest.map_structure(lambda value: self._strategy.reduce("SUM", value, axis=None), results)

        compiled: Callable[..., Any] = tf.function(run, reduce_retracing=True, autograph=False)
        return compiled

    def _step(self, compile_all: bool) -> Callable[..., Any]:
        """Returns a training step that uses the pixel loss alone."""
        import tensorflow as tf

        variables = [changed for _, changed in self._parts]

        def gradients(inputs: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
            with tf.GradientTape() as tape:
                *outputs, _ = self._objective.in_training(inputs, training=True)
                loss = self._objective.loss(targets, outputs) / self._strategy.num_replicas_in_sync
            return loss, tape.gradient(loss, variables)

        compiled = tf.function(gradients, jit_compile=True) if compile_all else gradients

        def step(inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
            loss, gradient_lists = compiled(inputs, targets)
            self._apply(gradient_lists)
            return loss

        return step

    def _gan_step(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Trains both networks for one step, and returns the pixel loss."""
        import tensorflow as tf

        from colorize_core.training import adversarial, losses

        replicas = self._strategy.num_replicas_in_sync
        discriminator = self._networks["discriminator"]
        *model_variables, discriminator_variables = [changed for _, changed in self._parts]
        with tf.GradientTape() as tape, tf.GradientTape() as discriminator_tape:
            *outputs, prediction = self._objective.in_training(inputs, training=True)
            target = losses.match_resolution(targets, prediction)
            gray = losses.match_resolution(inputs, prediction)
            pixel_loss = self._objective.loss(targets, outputs) / replicas
            predicted_logits = discriminator([gray, prediction], training=True)
            loss = pixel_loss + self._gan * adversarial.generator_loss(predicted_logits) / replicas
            detached_logits = discriminator([gray, tf.stop_gradient(prediction)], training=True)
            true_logits = discriminator([gray, target], training=True)
            discriminator_loss = adversarial.discriminator_loss(true_logits, detached_logits) / replicas
        gradients = tape.gradient(loss, model_variables)
        self._apply([*gradients, discriminator_tape.gradient(discriminator_loss, discriminator_variables)])
        return pixel_loss

    def _apply(self, gradients: list[list[tf.Tensor]]) -> None:
        for (optimizer, variables), values in zip(self._parts, gradients, strict=True):
            optimizer.apply(values, variables)

    def _validate(self, inputs: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        import tensorflow as tf

        from colorize_core.training import losses

        *outputs, prediction = self._objective.in_validation(inputs, training=False)
        target = losses.match_resolution(targets, prediction)
        gray_copy = tf.zeros_like(targets) if self._gray_is_zero else tf.repeat(inputs, 3, axis=-1)
        values = {
            "val_loss": self._objective.loss(targets, outputs),
            "val_gray_loss": self._objective.gray_loss(targets, gray_copy, outputs),
            "val_mse": tf.reduce_mean(losses.mse(target, prediction)),
            "val_gray_mse": tf.reduce_mean(losses.mse(target, losses.match_resolution(gray_copy, prediction))),
        }
        return {name: value / self._strategy.num_replicas_in_sync for name, value in values.items()}


def _values(prefix: str, variables: list[Any]) -> Arrays:
    from keras import ops

    return {f"{prefix}/{i:04d}": ops.convert_to_numpy(variable) for i, variable in enumerate(variables)}
