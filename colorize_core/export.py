"""A bundle's network as an ONNX file or a TensorFlow SavedModel, for programs that have no Keras.

Keras' own ``Model.export`` writes both; ONNX through tf2onnx. What was written is loaded again by the library that its
users have, and leaves the temporary folder only where it answers as the Keras model does. Beside it goes a JSON file
with what a user needs to repeat the preprocessing.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from colorize_core import __version__, cluster, storage
from colorize_core.bundle import Bundle
from colorize_core.color import ColorSpace, Floats
from colorize_core.errors import ColorizeError, OutputError, UserError, one_line
from colorize_core.inference import network_size
from colorize_core.recipes import Recipe
from colorize_core.training import pairs

if TYPE_CHECKING:
    import keras

ExportFormat = Literal["onnx", "savedmodel"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
FORMAT = 1  # of the JSON file; raised when an older reader would misread it
TOLERANCE = 1e-4  # greatest absolute difference, in units of the network's output, which is about [-1, 1] or [0, 1]
_SUFFIX = ".onnx"
_MAIN = {"onnx": "model.onnx", "savedmodel": "saved_model.pb"}  # the JSON file is named after it
_LIBRARIES = {"onnx": ("onnx", "onnxruntime", "tf2onnx"), "savedmodel": ()}  # beside keras and tensorflow
_COMPARED = ((1, 1, 1), (3, 3, 1), (2, 1, 3))  # images, and width : height of the photograph they stand for
_INPUTS: dict[ColorSpace, dict[str, Any]] = {
    "lab": {
        "range": [-1.0, 1.0],
        "meaning": "L / 50 - 1, where L is CIE L* (D65, 2 degree observer) of the gray sRGB value",
    },
    "rgb": {"range": [0.0, 1.0], "meaning": "gray sRGB value / 255"},
}
_OUTPUTS: dict[ColorSpace, dict[str, Any]] = {
    "lab": {
        "channels": ["a", "b"],
        "scale": float(pairs.AB_SCALE),
        "meaning": "times scale: CIE a*, b* (D65, 2 degree observer)",
    },
    "rgb": {
        "channels": ["red", "green", "blue"],
        "scale": 255.0,
        "meaning": "times scale: sRGB in [0, 255]; of its CIE Lab (D65, 2 degree observer) a*, b* are used",
    },
}
_GRAYS = {
    "luminance": "0.299 R + 0.587 G + 0.114 B of sRGB values (BT.601 luma)",
    "average": "(R + G + B) / 3 of sRGB values",
    "lightness": "sRGB value of the neutral gray with the same CIE L*",
}


@dataclass(frozen=True)
class Exported:
    """What ``export_bundle`` wrote: the ONNX file or SavedModel folder, the JSON file, its content, bytes of all."""

    path: str
    facts_path: str
    facts: Mapping[str, Any]
    size: int


@dataclass(frozen=True)
class _Loaded:
    """An exported model, loaded: inputs float32 [n, h, w, 1] to outputs, and what it calls the two."""

    input: str
    output: str
    run: Callable[[Floats], Floats]


@dataclass(frozen=True)
class _Compared:
    """Shapes of the inputs, the greatest absolute difference, and the sides of the output over those of the input."""

    shapes: list[tuple[int, ...]]
    difference: float
    side_ratio: float


def export_bundle(bundle: Bundle, output: str, file_format: ExportFormat) -> Exported:
    """Writes a bundle's model for ONNX Runtime or TensorFlow, proven equal to the Keras model.

    Input is float32 [n, h, w, 1]. n is free, h and w are too (in multiples of ``model.multiple``), but for a model that
    takes squares alone.

    Args:
        bundle: from ``load_bundle``.
        output: local or any URL. A new or empty folder; for ONNX also a new file that ends in ``.onnx``.
        file_format: of the model.

    Raises:
        UserError: a library is not installed, ``output`` is taken or cannot be written, or the bundle is damaged.
        ColorizeError: the export failed, or differs from the Keras model by more than ``TOLERANCE``. In either case
            nothing of it is left.
    """
    _check_installed(file_format)
    target = _check_output(output, file_format)
    facts, contents = _make(bundle, file_format)
    main = _MAIN[file_format]
    contents[f"{main}.json"] = (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()
    if target.endswith(_SUFFIX):
        folder, path = "", target
        files = {name.replace(main, target): content for name, content in contents.items()}
    else:
        folder, path = target, storage.join(target, main)
        files = {storage.join(target, name): content for name, content in contents.items()}
    _publish(files, folder, output)
    size = sum(len(content) for content in files.values())
    return Exported(path if file_format == "onnx" else folder, f"{path}.json", facts, size)


def _check_installed(file_format: ExportFormat) -> None:
    missing = [name for name in _LIBRARIES[file_format] if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"format {file_format} needs {', '.join(missing)}, which colorize does not install by itself: "
            "install colorize[export]"
        )


def _check_output(output: str, file_format: ExportFormat) -> str:
    """The place to write to, spelled in full. Raises OutputError where it is taken or cannot be written."""
    cluster.check_lasting(output)
    target = storage.absolute(output)
    if not target.endswith(_SUFFIX):
        free = not storage.exists(target) or (storage.is_folder(target) and storage.is_empty(target))
    elif file_format == "onnx":
        free = not any(storage.exists(path) for path in (target, f"{target}.json"))
    else:
        raise OutputError(f"OUTPUT {output} names an ONNX file: format {file_format} needs a folder")
    if not free:
        raise OutputError(
            f"OUTPUT {output} (or the .json beside it) is there already: choose a new place, or an empty folder"
        )
    storage.check_writable(target)
    return target


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the greetings, logs and warnings of TensorFlow and the converters off the screen; exceptions pass."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with cluster.native_stderr_silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _make(bundle: Bundle, file_format: ExportFormat) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Content of the JSON file, and of each file of the model by its name below the folder; proven equal."""
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        model = bundle.model()
        try:
            loaded = _convert(model, bundle.recipe, Path(scratch), file_format)
            compared = _compare(model, loaded, bundle.recipe)
        except Exception as error:  # the converters raise whatever they do
            raise ColorizeError(f"{bundle.name} cannot be exported as {file_format}: {one_line(error)}") from error
        if not compared.difference <= TOLERANCE:  # nan is no success either
            raise ColorizeError(
                f"{bundle.name} as {file_format} differs from the Keras model by {compared.difference:.2g}, more than "
                f"{TOLERANCE:g}: nothing was written"
            )
        # saved_model.pb comes after its variables: what is not complete does not load.
        made = sorted((path for path in Path(scratch).rglob("*") if path.is_file()), reverse=True)
        contents = {path.relative_to(scratch).as_posix(): path.read_bytes() for path in made}
        return _facts(bundle, loaded, compared, file_format), contents


def _convert(model: keras.Model, recipe: Recipe, folder: Path, file_format: ExportFormat) -> _Loaded:
    """Writes the model into a folder, and loads what it wrote."""
    import keras

    side = recipe.data.inference_side if recipe.model.square else None
    # Given, since Keras would ask for a model that was called before; and a network of any size may be one for squares.
    signature = [keras.InputSpec(shape=(None, side, side, 1), dtype="float32", name=model.inputs[0].name)]
    if file_format == "onnx":
        path = folder / _MAIN["onnx"]
        model.export(str(path), format="onnx", verbose=False, input_signature=signature)
        return _load_onnx(path)
    model.export(str(folder), format="tf_saved_model", verbose=False, input_signature=signature)
    return _load_savedmodel(folder)


def _load_onnx(path: Path) -> _Loaded:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    [source], [result] = session.get_inputs(), session.get_outputs()

    def run(inputs: Floats) -> Floats:
        [outputs] = session.run([result.name], {source.name: inputs})
        return np.asarray(outputs, np.float32)

    return _Loaded(source.name, result.name, run)


def _load_savedmodel(path: Path) -> _Loaded:
    import tensorflow as tf

    restored = tf.saved_model.load(str(path))
    serve = restored.signatures["serving_default"]
    [source], [result] = serve.structured_input_signature[1], serve.structured_outputs

    def run(inputs: Floats) -> Floats:
        # A signature does not keep the variables that it uses alive; what was loaded does.
        return np.asarray(restored.signatures["serving_default"](**{source: tf.constant(inputs)})[result], np.float32)

    return _Loaded(source, result, run)


def _compare(model: keras.Model, loaded: _Loaded, recipe: Recipe) -> _Compared:
    """Both models on the same seeded noise; on the processor, since a GPU multiplies float32 with fewer bits."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    shapes, differences, ratio = [], [], 1.0
    low, high = _INPUTS[recipe.data.color_space]["range"]
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
    return _Compared(shapes, float(np.max(differences)), ratio)


def _facts(bundle: Bundle, loaded: _Loaded, compared: _Compared, file_format: ExportFormat) -> dict[str, Any]:
    """Content of the JSON file."""
    data, model = bundle.recipe.data, bundle.recipe.model
    libraries = ("keras", "tensorflow", *_LIBRARIES[file_format])
    sides = [data.inference_side] * 2 if model.square else ["height", "width"]
    return {
        "format": FORMAT,
        "model_format": file_format,
        "bundle": bundle.name,
        "digest": bundle.digest,
        "color_space": data.color_space,
        "gray": {"formula": data.gray, "meaning": _GRAYS[data.gray]},
        "input": {
            "name": loaded.input,
            "dtype": "float32",
            "shape": ["batch", *sides, 1],
            **_INPUTS[data.color_space],
            "sides_multiple": model.multiple,
            "pixels": f"about {data.inference_side} x {data.inference_side}, in the photograph's shape",
            "strips": "beyond 3:1, the picture of 3:1 that the photograph makes with its mirror image beside it",
            "mirrored": "the colors are the mean of what it says of the photograph and of its mirror image"
            if data.mirrored
            else "",
            "resize": "mean of the covered area where it shrinks the photograph, else bicubic",
        },
        "output": {
            "name": loaded.output,
            "dtype": "float32",
            "side_ratio": compared.side_ratio,
            **_OUTPUTS[data.color_space],
            "use": "resize a*, b* to the photograph (bicubic) and join them with its own L*",
        },
        "compared": {
            "shapes": compared.shapes,
            "max_abs_difference": compared.difference,
            "tolerance": TOLERANCE,
        },
        "versions": {"colorize": __version__, **{name: importlib.metadata.version(name) for name in libraries}},
    }


def _publish(files: Mapping[str, bytes], folder: str, output: str) -> None:
    """Writes all of the files, or leaves none. ``folder`` is one that held nothing, or empty where files have none."""
    try:
        for path, content in files.items():
            storage.write(path, content)
    except BaseException as error:
        own_folder = folder and storage.is_local(folder)  # in a store it might be a whole bucket
        for path in [folder] if own_folder else files:
            with suppress(OSError):
                storage.remove(path)
        if isinstance(error, OSError):
            raise ColorizeError(f"OUTPUT {output} cannot be written: {one_line(error)}") from error
        raise
