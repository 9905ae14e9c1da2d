"""The registry of Keras models. A new model is one file with a ``build`` function and one record in ``MODELS``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from colorize_core.color import ColorSpace
from colorize_core.errors import RecipeError
from colorize_core.models.encoder_names import ENCODERS as ENCODERS

if TYPE_CHECKING:
    import keras

_MAX_NUMBER = 65_536  # largest number in model.settings: a width, a side, a count
_MAX_LENGTH = 32  # longest list in model.settings, which has an entry per level of the network
_MAX_NESTING = 4  # deepest nesting of lists and mappings in model.settings
_MAX_CONVOLUTIONS = 256
_MAX_WEIGHTS = 1 << 29  # 2 GiB of float32, the most that an ONNX file holds
_ENCODER_CHANNELS = 4096  # more than the deepest map of any encoder has
TEMPERATURE = 0.38  # temperature of the annealed mean (Zhang et al. 2016, arXiv:1603.08511, section 2.3)


@dataclass(frozen=True)
class ModelRecord:
    """The facts about a model that the registry knows without importing Keras.

    Attributes:
        builder: "module:function"; the function takes ``head``, ``encoder`` and the model's settings.
        needs_square: True if the model takes squares of one size only.
        multiple: returns the number of pixels of which the input's sides must be multiples, from the model's settings.
            Raises ArithmeticError, LookupError, TypeError or ValueError if the settings are incomplete or wrong.
        has_linear_colors: True if the layer ``colors`` is linear in ab, so that a gain can be put into its weights.
    """

    builder: str
    needs_square: bool
    multiple: Callable[[Mapping[str, Any]], int]
    has_linear_colors: bool = False


def _halvings(count: int) -> int:
    """Returns the multiple for ``count`` halvings of the resolution. Raises ValueError if there are too many."""
    if not 0 <= count <= _MAX_LENGTH:
        raise ValueError(f"the model cannot halve the resolution {count} times: the most are {_MAX_LENGTH}")
    return 1 << count


def _fixed_side(settings: Mapping[str, Any]) -> int:
    return int(settings["side"])


MODELS = {
    "conv": ModelRecord(
        "colorize_core.models.conv:build",
        needs_square=False,
        multiple=lambda settings: _halvings(len(settings["widths"])),
    ),
    "conv_dense": ModelRecord("colorize_core.models.conv_dense:build", needs_square=True, multiple=_fixed_side),
    "dense": ModelRecord("colorize_core.models.dense:build", needs_square=True, multiple=_fixed_side),
    "unet": ModelRecord(
        "colorize_core.models.unet:build",
        needs_square=False,
        multiple=lambda settings: int(settings.get("first_stride", 2)) * _halvings(len(settings["widths"]) - 1),
        has_linear_colors=True,
    ),
}


def build(
    name: str,
    settings: Mapping[str, Any],
    color_space: ColorSpace,
    *,
    ab_step: float | None = None,
    temperature: float = TEMPERATURE,
    encoder: str | None = None,
) -> keras.Model:
    """Builds the named model with random weights.

    Args:
        name: one of ``MODELS``.
        settings: arguments of the model's ``build`` function.
        color_space: color space of the model's output.
        ab_step: None to predict colors as numbers. Else the model predicts classes of ab on a grid with this step in
            units of ab: its output is their annealed mean, and a layer ``logits`` [n, h, w, Q] holds the logits of the
            classes, in the order of ``classes.ab_bins``. For ``lab`` only.
        temperature: temperature of the annealed mean: 1 gives the mean of the classes, near 0 the likeliest class.
        encoder: one of ``ENCODERS``, in place of the model's own encoder, also with random weights.

    Raises:
        RecipeError: the model or encoder is unknown, or a setting is unknown or has a wrong value.
    """
    if name not in MODELS:
        raise RecipeError(f"model.name is {name!r}; choose from {', '.join(sorted(MODELS))}")
    if ab_step is not None and color_space != "lab":
        raise RecipeError(f"classes of ab need data.color_space lab, not {color_space}")
    from colorize_core.models.blocks import Head

    head = Head(color_space, ab_step, temperature)
    module, function = MODELS[name].builder.split(":")
    builder = getattr(importlib.import_module(module), function)
    try:
        _check_settings(settings, builder, has_encoder=encoder is not None)
        model: keras.Model = builder(head=head, encoder=encoder, **settings)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"model.settings of {name}: {error}") from error
    return model


def check_sizes(settings: Any, depth: int = 0) -> None:
    """Raises ValueError if a number or a list in ``model.settings`` is larger than any network needs."""
    if isinstance(settings, Mapping | list | tuple):
        if len(settings) > _MAX_LENGTH or depth == _MAX_NESTING:
            raise ValueError(f"model.settings has a list of more than {_MAX_LENGTH} values, or one deep inside others")
        for value in settings.values() if isinstance(settings, Mapping) else settings:
            check_sizes(value, depth + 1)
    elif isinstance(settings, int | float) and not -_MAX_NUMBER <= settings <= _MAX_NUMBER:  # refuses nan, too
        raise ValueError(f"a number in model.settings is {str(settings)[:20]}: the largest is {_MAX_NUMBER:,}")


def _check_settings(settings: Mapping[str, Any], builder: Callable[..., Any], *, has_encoder: bool) -> None:
    """Raises ValueError if a choice or a boolean is not one of the builder's, or the network would be too large."""
    hints = get_type_hints(builder)
    for name, value in settings.items():
        hint = hints.get(name)
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        if choices and value not in choices:
            raise ValueError(f"{name} is {value!r}; choose from {', '.join(map(str, choices))}")
        if hint is bool and not isinstance(value, bool):
            raise ValueError(f"{name} is {value!r}; choose from true, false")
    check_sizes(settings)
    if sum(settings.get("convolutions", ())) > _MAX_CONVOLUTIONS:
        raise ValueError(f"convolutions are {sum(settings['convolutions'])} in all: the most are {_MAX_CONVOLUTIONS}")
    if (weights := _estimate_weights(settings, has_encoder=has_encoder)) > _MAX_WEIGHTS:
        raise ValueError(f"the network would have about {weights:.1e} weights: the most are {_MAX_WEIGHTS:.1e}")


def _estimate_weights(settings: Mapping[str, Any], *, has_encoder: bool) -> int:
    """Estimates the number of weights within about a factor of two, from settings that all builders share."""
    widths = [1, *(abs(int(width)) for width in settings.get("widths", ()))]
    counts = settings.get("convolutions", ())
    side, code = (abs(int(settings.get(name, 0))) for name in ("side", "code"))
    bottleneck = abs(int(settings.get("bottleneck", 0)))
    if bottleneck:  # dense: from the image to the code and back
        inputs = (side // 32 + 1) ** 2 * _ENCODER_CHANNELS if has_encoder else side * side
        encoder = [inputs, *widths[1:], bottleneck]
        decoder = [bottleneck, *reversed(widths[1:]), 3 * side * side]
        return sum(a * b for chain in (encoder, decoder) for a, b in pairwise(chain))
    convolutions = 2 * 9 * sum(a * b for a, b in pairwise(widths))
    repeated = 9 * sum(max(0, int(count) - 1) * width**2 for count, width in zip(counts, widths[1:], strict=False))
    dense = 2 * (side >> min(64, len(widths) - 1)) ** 2 * code * (_ENCODER_CHANNELS if has_encoder else widths[-1])
    return convolutions + repeated + dense + 3 * widths[-1] ** 2


def encoder_variables(model: keras.Model, *, frozen: bool) -> list[Any]:
    """Returns the trainable variables of the encoder in a model from ``build``. ``frozen`` freezes it: then none."""
    encoder = model.get_layer("encoder")
    encoder.trainable = not frozen
    return list(encoder.trainable_variables)


def load_encoder(model: keras.Model, encoder: str, weights: str) -> None:
    """Loads weights into the encoder of a model from ``build``.

    Args:
        model: built with ``encoder``.
        encoder: one of ``ENCODERS``.
        weights: ``imagenet``, a file, or ``none``, as for ``encoders.load``.

    Raises:
        RecipeError: the weights cannot be read, or belong to another encoder.
    """
    from colorize_core.models import encoders

    encoders.load(model, encoder, weights)
