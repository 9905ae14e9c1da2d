"""Keras models by name. A new model is one file with a ``build`` function and one line in ``BUILDERS``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from colorize_core.color import ColorSpace
from colorize_core.errors import RecipeError
from colorize_core.models.encoder_names import ENCODERS as ENCODERS

if TYPE_CHECKING:
    import keras

BUILDERS = {
    "conv": "colorize_core.models.conv:build",
    "conv_dense": "colorize_core.models.conv_dense:build",
    "dense": "colorize_core.models.dense:build",
    "unet": "colorize_core.models.unet:build",
}
_LARGEST = 65_536  # a number in model.settings: a width, a side, a count
_LONGEST = 32  # a list in model.settings, which has an entry per level of the network
_DEEPEST = 4  # lists and mappings in each other in model.settings
_MOST_CONVOLUTIONS = 256
_MOST_WEIGHTS = 1 << 29  # 2 GiB of float32: an ONNX file holds no more
_ENCODER_CHANNELS = 4096  # more than any encoder's deepest map has
TEMPERATURE = 0.38  # of the annealed mean (Zhang et al. 2016, arXiv:1603.08511, section 2.3)


def build(
    name: str,
    settings: Mapping[str, Any],
    color_space: ColorSpace,
    *,
    ab_step: float | None = None,
    temperature: float = TEMPERATURE,
    encoder: str | None = None,
) -> keras.Model:
    """The named model, untrained.

    Args:
        name: one of ``BUILDERS``.
        settings: of its ``build`` function.
        color_space: of its output (``pairs.ColorSpace``).
        ab_step: predict classes of ab on a grid of so many units: the output is their annealed mean, and a layer
            ``logits`` [n, h, w, Q] holds their odds, in the order of ``classes.ab_bins``. Lab alone.
        temperature: of that mean: 1 for the mean, near 0 for the likeliest class.
        encoder: one of ``ENCODERS``, in place of the model's own encoder; with random weights.

    Raises:
        RecipeError: no such model or encoder, or it has no such setting, or a value is none of the setting's.
    """
    if name not in BUILDERS:
        raise RecipeError(f"model.name is {name!r}; choose from {', '.join(sorted(BUILDERS))}")
    if ab_step is not None and color_space != "lab":
        raise RecipeError(f"classes of ab need data.color_space lab, not {color_space}")
    from colorize_core.models.blocks import Head

    head = Head(color_space, ab_step, temperature)
    module, function = BUILDERS[name].split(":")
    builder = getattr(importlib.import_module(module), function)
    try:
        _check(settings, builder, has_encoder=encoder is not None)
        model: keras.Model = builder(head=head, encoder=encoder, **settings)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"model.settings of {name}: {error}") from error
    return model


def check_sizes(settings: Any, depth: int = 0) -> None:
    """Raises ValueError if a number or a list in ``model.settings`` is larger than any network's."""
    if isinstance(settings, Mapping | list | tuple):
        if len(settings) > _LONGEST or depth == _DEEPEST:
            raise ValueError(f"model.settings has a list of more than {_LONGEST} values, or one deep inside others")
        for value in settings.values() if isinstance(settings, Mapping) else settings:
            check_sizes(value, depth + 1)
    elif isinstance(settings, int | float) and not -_LARGEST <= settings <= _LARGEST:  # nan neither
        raise ValueError(f"a number in model.settings is {str(settings)[:20]}: the largest is {_LARGEST:,}")


def _check(settings: Mapping[str, Any], builder: Callable[..., Any], *, has_encoder: bool) -> None:
    """Raises ValueError where a name or a truth value is none of the builder's, or the network would be too large."""
    hints = get_type_hints(builder)
    for name, value in settings.items():
        hint = hints.get(name)
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        if choices and value not in choices:
            raise ValueError(f"{name} is {value!r}; choose from {', '.join(map(str, choices))}")
        if hint is bool and not isinstance(value, bool):
            raise ValueError(f"{name} is {value!r}; choose from true, false")
    check_sizes(settings)
    if sum(settings.get("convolutions", ())) > _MOST_CONVOLUTIONS:
        raise ValueError(f"convolutions are {sum(settings['convolutions'])} in all: the most are {_MOST_CONVOLUTIONS}")
    if (weights := _weights(settings, has_encoder=has_encoder)) > _MOST_WEIGHTS:
        raise ValueError(f"the network would have about {weights:.1e} weights: the most are {_MOST_WEIGHTS:.1e}")


def _weights(settings: Mapping[str, Any], *, has_encoder: bool) -> int:
    """Estimates the weights of a network, within a factor of two or so, from the names that all builders share."""
    widths = [1, *(abs(int(width)) for width in settings.get("widths", ()))]
    counts = settings.get("convolutions", ())
    side, code = (abs(int(settings.get(name, 0))) for name in ("side", "code"))
    bottleneck = abs(int(settings.get("bottleneck", 0)))
    if bottleneck:  # dense: from the image to the code and back
        shown = (side // 32 + 1) ** 2 * _ENCODER_CHANNELS if has_encoder else side * side
        layers = [shown, *widths[1:], bottleneck]
        back = [bottleneck, *reversed(widths[1:]), 3 * side * side]
        return sum(a * b for chain in (layers, back) for a, b in pairwise(chain))
    convolutions = 2 * 9 * sum(a * b for a, b in pairwise(widths))
    repeated = 9 * sum(max(0, int(count) - 1) * width**2 for count, width in zip(counts, widths[1:], strict=False))
    dense = 2 * (side >> min(64, len(widths) - 1)) ** 2 * code * (_ENCODER_CHANNELS if has_encoder else widths[-1])
    return convolutions + repeated + dense + 3 * widths[-1] ** 2


def encoder_variables(model: keras.Model, *, frozen: bool) -> list[Any]:
    """The trainable variables of the encoder of a model that ``build`` made; ``frozen`` makes that none."""
    encoder = model.get_layer("encoder")
    encoder.trainable = not frozen
    return list(encoder.trainable_variables)


def load_encoder(model: keras.Model, encoder: str, weights: str) -> None:
    """Fills the encoder of a model that ``build`` made: ``encoders.load`` (``imagenet``, a file, or ``none``).

    Raises:
        RecipeError: the weights cannot be read, or are not of this encoder.
    """
    from colorize_core.models import encoders

    encoders.load(model, encoder, weights)
