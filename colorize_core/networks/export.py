"""Export of a bundle's network as an ONNX file, a TensorFlow SavedModel, or a bundle of format 2.

The first two are for programs that have no Keras. The last converts a bundle of format 1, which has no ONNX file.

The exported network predicts what the Keras model predicts: a SavedModel is compared when it is exported (see
``conversion``), the ONNX file of a bundle was compared when its training ended. A JSON file beside the network says
how to prepare the input and how to use the output.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

from colorize_core import bundle as bundles
from colorize_core import storage
from colorize_core.bundle import Bundle
from colorize_core.color import AB_SCALE, ColorSpace
from colorize_core.errors import ColorizeError, OutputError, one_line
from colorize_core.networks import packing
from colorize_core.networks.conversion import INPUT_RANGE, to_onnx, to_saved_model
from colorize_core.recipes.network import build_model
from colorize_core.runtime import cluster
from colorize_core.runtime.silence import tensorflow_silenced
from colorize_core.version import __version__

ExportFormat = Literal["onnx", "savedmodel"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
FORMAT = 1  # format of the JSON file; to be raised when an older reader would misread the file
_SUFFIX = ".onnx"
_MAIN_FILES = {"onnx": "model.onnx", "savedmodel": "saved_model.pb"}  # the JSON file adds .json to this name
_INPUTS: dict[ColorSpace, dict[str, Any]] = {
    "lab": {
        "range": list(INPUT_RANGE["lab"]),
        "meaning": "L / 50 - 1, where L is CIE L* (D65, 2 degree observer) of the gray sRGB value",
    },
    "rgb": {"range": list(INPUT_RANGE["rgb"]), "meaning": "gray sRGB value / 255"},
}
_OUTPUTS: dict[ColorSpace, dict[str, Any]] = {
    "lab": {
        "scale": AB_SCALE,
        "meaning": "times scale: CIE a*, b* (D65, 2 degree observer)",
    },
    "rgb": {
        "scale": 255.0,
        "meaning": "times scale: sRGB in [0, 255]; convert it to CIE Lab (D65, 2 degree observer) and use a*, b*",
    },
}
_GRAYS = {
    "luminance": "0.299 R + 0.587 G + 0.114 B of sRGB values (BT.601 luma)",
    "average": "(R + G + B) / 3 of sRGB values",
    "lightness": "sRGB value of the neutral gray with the same CIE L*",
}


@dataclass(frozen=True)
class Exported:
    """The result of ``export``.

    Attributes:
        path: the ONNX file, or the folder of the SavedModel or bundle.
        facts_path: the JSON file that describes it.
        facts: the content of the JSON file.
        size: bytes of all files together.
    """

    path: str
    facts_path: str
    facts: Mapping[str, Any]
    size: int


def export(name: str, output: str, file_format: ExportFormat | Literal["bundle"] = "onnx") -> Exported:
    """Writes the network of a bundle for ONNX Runtime or TensorFlow, or converts a bundle of format 1 to format 2.

    Args:
        name: the name of a shipped bundle, or a folder or URL with a bundle.
        output: a new or empty folder or URL. For ONNX also a new file whose name ends in ``.onnx``.
        file_format: ``onnx``, ``savedmodel`` or ``bundle``.

    Returns:
        The places of the network and of the JSON file that describes it, and the content of the JSON file.

    Raises:
        UserError: the bundle is unknown or damaged, or ``output`` holds files or cannot be written.
        ColorizeError: the export failed, or the result differs from the Keras model by more than 1e-4. Nothing was
            written.

    Example:
        >>> export("default", "/models/colorizer.onnx").path
        '/models/colorizer.onnx'
    """
    if file_format == "bundle":
        return renew_bundle(name, output)
    return export_bundle(bundles.load_bundle(name), output, file_format)


def export_bundle(bundle: Bundle, output: str, file_format: ExportFormat) -> Exported:
    """Writes a bundle's network for ONNX Runtime or TensorFlow, and checks that it is equal to the Keras model.

    The network's input is float32 [n, h, w, 1]. n is free. h and w are free multiples of ``model.multiple``, unless the
    recipe has ``model.square``.

    Args:
        bundle: a bundle from ``load_bundle``.
        output: a new or empty folder or URL. For ONNX also a new file whose name ends in ``.onnx``.
        file_format: ``onnx`` or ``savedmodel``.

    Raises:
        UserError: ``output`` holds files or cannot be written, or the bundle is damaged.
        ColorizeError: the export failed, or the result differs from the Keras model by more than ``TOLERANCE``. No
            file is left behind.
    """
    target = _check_output(output, file_format)
    facts, contents = _convert(bundle, file_format)
    main = _MAIN_FILES[file_format]
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


def _check_output(output: str, file_format: str) -> str:
    """Returns the absolute path to write to. Raises OutputError if it holds files or cannot be written."""
    cluster.check_lasting(output)
    target = storage.absolute(output)
    if not target.endswith(_SUFFIX):
        free = not storage.exists(target) or (storage.is_folder(target) and storage.is_empty(target))
    elif file_format == "onnx":
        free = not any(storage.exists(path) for path in (target, f"{target}.json"))
    else:
        raise OutputError(
            f"OUTPUT {output} ends in .onnx, but format {file_format} writes a folder: give the name of a folder"
        )
    if not free:
        raise OutputError(
            f"OUTPUT {output} (or the .json file beside it) exists already: choose a new place or an empty folder"
        )
    storage.check_writable(target)
    return target


def _convert(bundle: Bundle, file_format: ExportFormat) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Returns the content of the JSON file, and the content of each file of the model by its name in the folder."""
    if file_format == "savedmodel":
        with tensorflow_silenced():
            model = bundle.model()
        contents, check = to_saved_model(model, bundle.recipe)
        return _facts(bundle, check.facts(), file_format), contents
    content, converted = bundle.onnx, dict(bundle.converted)
    if not content:  # a bundle of format 1
        with tensorflow_silenced():
            model = bundle.model()
        content, check = to_onnx(model, bundle.recipe)
        converted = check.facts()
    return _facts(bundle, converted, file_format), {_MAIN_FILES["onnx"]: content}


def renew_bundle(name: str, output: str) -> Exported:
    """Writes a bundle of any format as a bundle of format 2, with its curves, samples and card.

    Args:
        name: the name of a shipped bundle, or a folder or URL with a bundle.
        output: a new or empty folder or URL.

    Raises:
        UserError: the bundle is unknown or damaged, or ``output`` holds files or cannot be written.
        ColorizeError: the conversion to ONNX failed.
    """
    bundle = bundles.load_bundle(name)
    target = _check_output(output, "bundle")
    if not bundle.onnx:
        with tensorflow_silenced():
            model = build_model(bundle.recipe)
            bundle.fill(model)
        package = packing.pack(model, bundle.recipe)
        if package.failure:
            raise ColorizeError(package.failure)
        bundle = dataclasses.replace(bundle, weights=package.weights, onnx=package.onnx, converted=package.converted)
    facts = _facts(bundle, bundle.converted, "onnx")
    try:
        bundles.save_bundle(bundle, target, bundles.read_extras(name))
        size = sum(entry.size for entry in storage.find(target))
    except OSError as error:
        raise ColorizeError(f"OUTPUT {output} cannot be written: {one_line(error)}") from error
    return Exported(target, storage.join(target, bundles.FACTS), facts, size)


def _facts(bundle: Bundle, converted: Mapping[str, Any], file_format: ExportFormat) -> dict[str, Any]:
    """Returns the content of the JSON file."""
    data, model = bundle.recipe.data, bundle.recipe.model
    sides = [data.inference_side] * 2 if model.square else ["height", "width"]
    return {
        "format": FORMAT,
        "model_format": file_format,
        "bundle": bundle.name,
        "digest": bundle.digest,
        "color_space": data.color_space,
        "gray": {"formula": data.gray, "meaning": _GRAYS[data.gray]},
        "input": {
            "name": converted["input"],
            "dtype": "float32",
            "shape": ["batch", *sides, 1],
            **_INPUTS[data.color_space],
            "sides_multiple": model.multiple,
            "pixels": f"about {data.inference_side} x {data.inference_side}, in the photograph's shape",
            "strips": "a photograph of more than 3:1 is extended to 3:1 by its mirror image",
            "mirrored": "average with the prediction for the mirrored image" if data.mirrored else "",
            "resize": "area average to shrink the photograph, bicubic to enlarge it",
        },
        "output": {
            "name": converted["output"],
            "dtype": "float32",
            "side_ratio": converted["side_ratio"],
            "channels": bundle.recipe.output_channels,
            **_OUTPUTS[data.color_space],
            **_use(bundle),
        },
        "compared": {name: converted[name] for name in ("shapes", "max_abs_difference", "tolerance")},
        "versions": {"colorize": __version__, **bundle.versions},
    }


def _use(bundle: Bundle) -> dict[str, Any]:
    """Returns how to use the output; for a class head, also what its five channels are."""
    use = "resize a*, b* to the photograph (bicubic) and join them with its own L*"
    if not bundle.recipe.model.class_head:
        return {"use": use}
    doubt = bundle.doubt and {"spreads": list(bundle.doubt.spreads), "errors": list(bundle.doubt.errors)}
    return {
        "meaning": "times scale: CIE a*, b* (D65, 2 degree observer) of faithful and of vivid colors, and the spread "
        "of the odds of faithful colors",
        "use": f"{use}; colorize itself first makes a*, b* follow the outlines of L*, which changes little",
        "doubt": doubt and {"meaning": "error of a*, b* to expect, by the root of the mean squared spread", **doubt},
    }


def _publish(files: Mapping[str, bytes], folder: str, output: str) -> None:
    """Writes all files. If one fails, removes them and, if it is local, their new ``folder`` ('' for none); raises."""
    try:
        for path, content in files.items():
            storage.write(path, content)
    except BaseException as error:
        own_folder = folder and storage.is_local(folder)  # in a store the folder might be a whole bucket
        for path in [folder] if own_folder else files:
            with suppress(OSError):
                storage.remove(path)
        if isinstance(error, OSError):
            raise ColorizeError(f"OUTPUT {output} cannot be written: {one_line(error)}") from error
        raise
