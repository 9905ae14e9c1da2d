"""Conversion of a Keras model to an ONNX file or a TensorFlow SavedModel, with a check of the result.

``Model.export`` of Keras writes both; it uses tf2onnx for ONNX. The library that will run the result loads it again,
and its predictions are compared with those of the Keras model for several input sizes.
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

TOLERANCE = 1e-4  # largest absolute difference; outputs of a network lie in about [-1, 1] or [0, 1]
INPUT_RANGE: dict[ColorSpace, tuple[float, float]] = {"lab": (-1.0, 1.0), "rgb": (0.0, 1.0)}
_CHECKED_INPUTS = ((1, 1, 1), (3, 3, 1), (2, 1, 3))  # number of images, and the width : height of a photograph


@dataclass(frozen=True)
class ConversionCheck:
    """The result of comparing a converted model with the Keras model.

    Attributes:
        shapes: shapes of the inputs.
        difference: the largest absolute difference of the outputs.
        side_ratio: a side of the output divided by that of the input.
        input: name of the converted model's input.
        output: name of the converted model's output.
    """

    shapes: list[tuple[int, ...]]
    difference: float
    side_ratio: float
    input: str
    output: str

    def facts(self) -> dict[str, Any]:
        """Returns the attributes and the tolerance, ready for JSON."""
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
    """A converted model after loading: the names of its input and output, and a function that predicts."""

    input: str
    output: str
    run: Callable[[Floats], Floats]


def to_onnx(
    model: keras.Model, recipe: Recipe, finish: Callable[[bytes], bytes] = lambda content: content
) -> tuple[bytes, ConversionCheck]:
    """Converts a model to an ONNX file.

    The number of images is free. Height and width are free too, unless the recipe has ``model.square``.

    Args:
        model: the model.
        recipe: the recipe that it was built from.
        finish: applied to the content of the converter's file. Its result is compared and returned.

    Returns:
        The content of the file, and the comparison with the Keras model.

    Raises:
        ColorizeError: the conversion failed, or its result differs from the model by more than ``TOLERANCE``.
    """
    with tempfile.TemporaryDirectory() as folder, tensorflow_silenced():
        path = os.path.join(folder, "model.onnx")
        with _explained(recipe, "ONNX"):
            model.export(path, format="onnx", verbose=False, input_signature=_signature(model, recipe))
            content = finish(Path(path).read_bytes())
            check = _compare(model, _load_onnx(content), recipe)
        _refuse_difference(check, recipe, "ONNX")
        return content, check


def to_saved_model(model: keras.Model, recipe: Recipe) -> tuple[dict[str, bytes], ConversionCheck]:
    """Converts a model to a TensorFlow SavedModel.

    Returns:
        The content of each file by name, and the comparison with the Keras model. ``saved_model.pb`` comes last, so an
        incomplete copy of the files does not load.

    Raises:
        ColorizeError: the conversion failed, or its result differs from the model by more than ``TOLERANCE``.
    """
    with tempfile.TemporaryDirectory() as folder, tensorflow_silenced():
        with _explained(recipe, "SavedModel"):
            model.export(folder, format="tf_saved_model", verbose=False, input_signature=_signature(model, recipe))
            check = _compare(model, _load_saved_model(folder), recipe)
        _refuse_difference(check, recipe, "SavedModel")
        paths = sorted((path for path in Path(folder).rglob("*") if path.is_file()), reverse=True)
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}, check


@contextmanager
def _explained(recipe: Recipe, what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the converters have no common base class of errors
        raise ColorizeError(f"{recipe.name} cannot be converted to {what}: {one_line(error)}") from error


def _refuse_difference(check: ConversionCheck, recipe: Recipe, what: str) -> None:
    if not check.difference <= TOLERANCE:  # this comparison refuses nan too
        raise ColorizeError(
            f"{recipe.name} as {what} differs from the Keras model by {check.difference:.2g}, more than "
            f"{TOLERANCE:g}: nothing was written"
        )


def _signature(model: keras.Model, recipe: Recipe) -> list[keras.InputSpec]:
    """Returns the input's shape. Keras would need a model that was called, and would accept squares of any size."""
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
        # The signature alone does not keep its variables alive; ``restored`` does.
        return np.asarray(restored.signatures["serving_default"](**{source: tf.constant(inputs)})[result], np.float32)

    return _Loaded(source, result, run)


def _compare(model: keras.Model, loaded: _Loaded, recipe: Recipe) -> ConversionCheck:
    """Compares both networks on seeded noise. Uses the CPU, because a GPU may multiply float32 with fewer bits."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    shapes, differences, ratio = [], [], 1.0
    low, high = INPUT_RANGE[recipe.data.color_space]
    for images, width, height in _CHECKED_INPUTS:
        w, h = network_size(recipe, width, height)
        inputs = rng.uniform(low, high, (images, h, w, 1)).astype(np.float32)
        with tf.device("CPU:0"):
            expected, outputs = np.asarray(model(inputs, training=False)), loaded.run(inputs)
        if outputs.shape != expected.shape:
            raise ColorizeError(f"the output of the converted network is {outputs.shape}, not {expected.shape}")
        shapes.append(inputs.shape)
        differences.append(np.abs(outputs - expected).max())
        ratio = outputs.shape[1] / inputs.shape[1]
    return ConversionCheck(shapes, float(np.max(differences)), ratio, loaded.input, loaded.output)
