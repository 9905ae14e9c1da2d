"""Pretrained encoders for any of the models: networks of keras.applications, and two EfficientNet-Lite.

The encoder outputs the last maps with 1/2, 1/4, 1/8, 1/16 and 1/32 of the input's resolution, wherever the application
has them. In a model it is the layer ``encoder``, built with random weights; ``load`` loads others.
"""

from __future__ import annotations

import inspect
import os
import tempfile
import textwrap
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from colorize_core import storage
from colorize_core.color import ColorSpace
from colorize_core.errors import RecipeError, one_line
from colorize_core.models.blocks import MOMENTUM, SYNCHRONIZED
from colorize_core.models.efficientnet_lite import EfficientNetLite0, EfficientNetLite2
from colorize_core.models.encoder_names import ENCODERS

LEVELS = 5
_OURS = {"EfficientNetLite0": EfficientNetLite0, "EfficientNetLite2": EfficientNetLite2}
_LAYER = "encoder"
_PROBE = 320  # pixels; input side at which the maps' resolutions are determined: 32 times a number not a power of 2
_MAX_MESSAGE = 400  # characters of Keras' message, which lists every layer that a file lacks


def encode(gray: keras.KerasTensor, name: str, levels: int, color_space: ColorSpace) -> list[keras.KerasTensor | None]:
    """Returns maps [n, h / 2**level, w / 2**level, c] of levels 1 to ``levels``; None for a first level without a map.

    Args:
        gray: gray in [0, 1], or L in [-1, 1], [n, h, w, 1]; h and w are multiples of 2**levels.
        name: one of ``ENCODERS``.
        levels: number of levels, up to 5.
        color_space: ``rgb`` for gray in [0, 1], ``lab`` for L in [-1, 1].

    Raises:
        RecipeError: the encoder is unknown, or does not have these levels.
    """
    if name not in ENCODERS:
        raise RecipeError(f"model.encoder is {name!r}; choose from {', '.join(ENCODERS)}")
    if not 1 <= levels <= LEVELS:
        raise RecipeError(f"model.encoder {name} has {LEVELS} levels, but the model needs {levels}")
    scale, offset = expected_range(name, color_space)
    x = layers.Rescaling(scale, offset)(layers.Concatenate()([gray, gray, gray]))  # [n, h, w, 3]
    encoder = _cut(name, _application(name, weights=None, include_top=False), levels)
    for layer in encoder.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.synchronized, layer.momentum = SYNCHRONIZED, MOMENTUM
    maps = encoder(x)
    return [None] * (levels - len(maps)) + list(maps)


def deepest_map(
    gray: keras.KerasTensor,
    name: str | None,
    levels: int,
    color_space: ColorSpace,
    own_encoder: Callable[[keras.KerasTensor], keras.KerasTensor],
) -> keras.KerasTensor:
    """Returns the last map of ``encode``, or the output of the model's own encoder if ``name`` is None."""
    return encode(gray, name, levels, color_space)[-1] if name else own_encoder(gray)


def load(model: keras.Model, name: str, weights: str) -> None:
    """Loads weights of the application into the encoder of a model from ``models.build``.

    Args:
        model: built with ``encoder=name``.
        name: name of the application.
        weights: ``imagenet``, which Keras downloads; a .weights.h5, .h5 or .keras file that was saved from the
            application, with or without its top (.h5: a top with 1000 classes); ``none`` to keep random weights.

    Raises:
        RecipeError: the weights cannot be read, or belong to another application.
    """
    if weights == "none":
        return
    encoder = model.get_layer(_LAYER)
    [*_, (_, side, _, _)] = encoder.compute_output_shape((1, _PROBE, _PROBE, 3))
    source = application_with(name, weights)
    for layer, trained in zip(
        _weighted(encoder), _weighted(_cut(name, source, (_PROBE // side).bit_length() - 1)), strict=True
    ):
        layer.set_weights(trained.get_weights())
        if isinstance(layer, layers.Normalization):
            if (scale := _scale_after_normalization(source)) is not None:
                layer.adapt_variance.assign(layer.adapt_variance / np.square(scale))
            layer.finalize_state()  # updates the copy of mean and variance with which the layer computes


def _application(name: str, **settings: Any) -> keras.Model:
    shape = {} if settings["include_top"] else {"input_shape": (None, None, 3)}
    return _builder(name)(**settings, **shape)


def _builder(name: str) -> Any:
    return _OURS[name] if name in _OURS else getattr(keras.applications, name)


def application_with(name: str, weights: str) -> keras.Model:
    """Builds an application without its top, with weights as for ``load``. Raises RecipeError like ``load``."""
    if weights == "imagenet":
        try:
            return _application(name, weights="imagenet", include_top=False)
        except Exception as error:  # Keras raises all kinds of exceptions
            raise RecipeError(f"weights imagenet of {name}: {_short(error)}") from error
    suffix = next((end for end in (".weights.h5", ".keras") if weights.endswith(end)), os.path.splitext(weights)[1])
    # Only from .h5 does Keras refuse weights of a top that the application lacks; from other formats it ignores them.
    tops = (False, True) if suffix == ".h5" and name not in _OURS else (False,)
    with tempfile.NamedTemporaryFile(suffix=suffix) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one per layer that the file lacks; the error names the first
        try:
            file.write(storage.read(weights))
            file.flush()
        except OSError as error:
            raise RecipeError(f"weights {weights} cannot be read: {one_line(error)}") from error
        errors: list[Exception] = []
        for include_top in tops:
            application = _application(name, weights=None, include_top=include_top)
            try:
                application.load_weights(file.name)
            except Exception as error:  # Keras raises all kinds of exceptions
                errors.append(error)
            else:
                return _without_top(name, application) if include_top else application
    raise RecipeError(f"weights {weights} are not those of a {name}: {_short(errors[0])}") from errors[0]


def _without_top(name: str, full: keras.Model) -> keras.Model:
    """Returns an application without top, which takes images of any size, with the weights of the full one."""
    application = _application(name, weights=None, include_top=False)
    for layer, trained in zip(_weighted(application), _weighted(full), strict=False):  # the top comes last
        layer.set_weights(trained.get_weights())
    return application


def _cut(name: str, application: keras.Model, levels: int) -> keras.Model:
    """Returns a model [n, h, w, 3] -> the last map of each level. Its layers have the same order on every call."""
    # Operations, not layers: ConvNeXt adds its residuals without a layer.
    outputs = [operation.output for operation in application.operations]
    probe = keras.Model(application.input, outputs).compute_output_shape((1, _PROBE, _PROBE, 3))
    last = {shape[1]: output for shape, output in zip(probe, outputs, strict=True) if shape[1:3] == (shape[1],) * 2}
    maps = [last.get(_PROBE >> level) for level in range(1, levels + 1)]
    if maps == [None]:
        raise RecipeError(f"model.encoder {name} has no map at 1/2 of the resolution: the model needs 2 widths or more")
    if any(each is None for each in maps[1:]):
        raise RecipeError(f"model.encoder {name} does not halve its maps exactly, as colors need")
    return keras.Model(application.input, [each for each in maps if each is not None], name=_LAYER)


def expected_range(name: str, color_space: ColorSpace) -> tuple[list[float], list[float]]:
    """Returns scale and offset per channel, from [0, 1] (``lab``: [-1, 1]) to the range that the encoder expects."""
    module: Any = inspect.getmodule(_builder(name))
    # Both are derived from the application's own preprocessing, which is linear: to [-1, 1], or minus the mean of
    # ImageNet, or none, in [0, 255].
    black, white = (module.preprocess_input(np.full((1, 1, 3), end, np.float32)).ravel() for end in (0.0, 255.0))
    if color_space == "rgb":
        return (white - black).tolist(), black.tolist()
    # L / 100 replaces the gray value in sRGB; they differ by at most 0.04.
    return ((white - black) / 2).tolist(), ((white + black) / 2).tolist()


def _scale_after_normalization(application: keras.Model) -> Any:
    """Returns the scale per channel that EfficientNet applies with ImageNet weights only, or None."""
    scales = (layer.scale for layer in application.layers if isinstance(layer, layers.Rescaling))
    return next((scale for scale in scales if np.ndim(scale)), None)


def _weighted(model: keras.Model) -> list[Any]:
    return [layer for layer in model.layers if layer.weights]


def _short(error: Exception) -> str:
    return textwrap.shorten(one_line(error), _MAX_MESSAGE)
