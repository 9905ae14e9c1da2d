"""A Keras model as an ONNX file or a TensorFlow SavedModel, proven to predict what the Keras model predicts.

Keras' own ``Model.export`` writes both; ONNX through tf2onnx. What was written is loaded again by the library that
runs it later, and compared with the Keras model on several sizes.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorize_core.color import ColorSpace, Floats
from colorize_core.errors import ColorizeError, one_line
from colorize_core.preprocessing.network_size import network_size
from colorize_core.recipes import Recipe
from colorize_core.runtime.silence import tensorflow_silenced

if TYPE_CHECKING:
    import keras

TOLERANCE = 1e-4  # greatest absolute difference, in units of the network's output, which is about [-1, 1] or [0, 1]
INPUT_RANGE: dict[ColorSpace, tuple[float, float]] = {"lab": (-1.0, 1.0), "rgb": (0.0, 1.0)}
_COMPARED = ((1, 1, 1), (3, 3, 1), (2, 1, 3))  # images, and width : height of the photograph they stand for


@dataclass(frozen=True)
class Compared:
    """What a comparison with the Keras model found.

    Attributes:
        shapes: of the inputs.
        difference: the greatest absolute difference of the outputs.
        side_ratio: sides of the output over those of the input.
        input: name of the converted model's input.
        output: name of its output.
    """

    shapes: list[tuple[int, ...]]
    difference: float
    side_ratio: float
    input: str
    output: str

    def facts(self) -> dict[str, Any]:
        """Returns all of it and the tolerance, as JSON takes them."""
        return {
            "input": self.input,
            "output": self.output,
            "side_ratio": self.side_ratio,
            "shapes": [list(shape) for shape in self.shapes],
            "max_abs_difference": self.difference,
            "tolerance": TOLERANCE,
        }


@dataclass(frozen=True)
class _Loaded:
    """A converted model, loaded: inputs float32 [n, h, w, 1] to outputs, and what it calls the two."""

    input: str
    output: str
    run: Callable[[Floats], Floats]


def to_onnx(model: keras.Model, recipe: Recipe) -> tuple[bytes, Compared]:
    """Converts a model to an ONNX file. Its number of images is free; height and width too, unless it takes squares.

    Raises:
        ColorizeError: the conversion failed, or its result differs from the model by more than ``TOLERANCE``.
    """
    with tempfile.TemporaryDirectory() as scratch, tensorflow_silenced():
        path = os.path.join(scratch, "model.onnx")
        with _explained(recipe, "ONNX"):
            model.export(path, format="onnx", verbose=False, input_signature=_signature(model, recipe))
            content = Path(path).read_bytes()
            compared = _compare(model, _load_onnx(content), recipe)
        _check(compared, recipe, "ONNX")
        return content, compared


def to_saved_model(model: keras.Model, recipe: Recipe) -> tuple[dict[str, bytes], Compared]:
    """Converts a model to a TensorFlow SavedModel: the content of each file by its name.

    ``saved_model.pb`` comes last: a copy of the files that was interrupted does not load.

    Raises:
        ColorizeError: as ``to_onnx``.
    """
    with tempfile.TemporaryDirectory() as scratch, tensorflow_silenced():
        with _explained(recipe, "SavedModel"):
            model.export(scratch, format="tf_saved_model", verbose=False, input_signature=_signature(model, recipe))
            compared = _compare(model, _load_saved_model(scratch), recipe)
        _check(compared, recipe, "SavedModel")
        made = sorted((path for path in Path(scratch).rglob("*") if path.is_file()), reverse=True)
        return {path.relative_to(scratch).as_posix(): path.read_bytes() for path in made}, compared


@contextmanager
def _explained(recipe: Recipe, what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the converters raise whatever they do
        raise ColorizeError(f"{recipe.name} cannot be converted to {what}: {one_line(error)}") from error


def _check(compared: Compared, recipe: Recipe, what: str) -> None:
    if not compared.difference <= TOLERANCE:  # nan is no success either
        raise ColorizeError(
            f"{recipe.name} as {what} differs from the Keras model by {compared.difference:.2g}, more than "
            f"{TOLERANCE:g}: nothing was written"
        )


def _signature(model: keras.Model, recipe: Recipe) -> list[keras.InputSpec]:
    """The input; without it Keras asks for a model that was called, and a network for squares may take any size."""
    import keras

    side = recipe.data.inference_side if recipe.model.square else None
    return [keras.InputSpec(shape=(None, side, side, 1), dtype="float32", name=model.inputs[0].name)]


def _load_onnx(content: bytes) -> _Loaded:
    from colorize_core.networks import onnx

    session = onnx.session(content)
    [source], [result] = session.get_inputs(), session.get_outputs()

    def run(inputs: Floats) -> Floats:
        [outputs] = session.run([result.name], {source.name: inputs})
        return np.asarray(outputs, np.float32)

    return _Loaded(source.name, result.name, run)


def _load_saved_model(path: str) -> _Loaded:
    import tensorflow as tf

    restored = tf.saved_model.load(path)
    serve = restored.signatures["serving_default"]
    [source], [result] = serve.structured_input_signature[1], serve.structured_outputs

    def run(inputs: Floats) -> Floats:
        # A signature does not keep the variables that it uses alive; what was loaded does.
        return np.asarray(restored.signatures["serving_default"](**{source: tf.constant(inputs)})[result], np.float32)

    return _Loaded(source, result, run)


def _compare(model: keras.Model, loaded: _Loaded, recipe: Recipe) -> Compared:
    """Runs both on the same seeded noise; on the CPU, since a GPU multiplies float32 with fewer bits."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    shapes, differences, ratio = [], [], 1.0
    low, high = INPUT_RANGE[recipe.data.color_space]
    for images, width, height in _COMPARED:
        w, h = network_size(recipe, width, height)
        inputs = rng.uniform(low, high, (images, h, w, 1)).astype(np.float32)
        with tf.device("CPU:0"):
            expected, outputs = np.asarray(model(inputs, training=False)), loaded.run(inputs)
        if outputs.shape != expected.shape:
            raise ColorizeError(f"its output is {outputs.shape}, not {expected.shape}")
        shapes.append(inputs.shape)
        differences.append(np.abs(outputs - expected).max())
        ratio = outputs.shape[1] / inputs.shape[1]
    return Compared(shapes, float(np.max(differences)), ratio, loaded.input, loaded.output)
