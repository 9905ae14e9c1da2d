"""The registry of Keras models. A new model is one file and one record in ``MODELS``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from colorize_core.color import ColorSpace
from colorize_core.errors import RecipeError
from colorize_core.models import declared_settings
from colorize_core.models.encoder_names import ENCODERS as ENCODERS
from colorize_core.models.sizes import MAX_LENGTH, MAX_WEIGHTS, check_sizes, needed, positive

if TYPE_CHECKING:
    import keras

TEMPERATURE = 0.38  # temperature of the annealed mean (Zhang et al. 2016, arXiv:1603.08511, section 2.3)


@dataclass(frozen=True)
class ModelRecord:
    """The facts about a model that the registry knows without importing Keras.

    Attributes:
        module: import path of the model's module. Its function ``build`` takes ``head``, ``encoder`` and the model's
            settings; its function ``estimate_weights`` refuses a network that is too large before it is built.
        needs_square: True if the model takes squares of one size only.
        multiple: returns the number of pixels of which the input's sides must be multiples, from the model's settings.
            Raises ValueError if a setting that it needs is missing or wrong; the message names the setting.
        has_linear_colors: True if the layer ``colors`` is linear in ab, so that a gain can be put into its weights.
        takes_class_head: True if the model can have a second head, for classes of ab.
        resolution_settings: names of the settings that change the resolution of the network's output. All trials of
            ``tune`` have the same values of them.
    """

    module: str
    needs_square: bool
    multiple: Callable[[Mapping[str, Any]], int]
    has_linear_colors: bool = False
    takes_class_head: bool = False
    resolution_settings: tuple[str, ...] = ()

    def load(self) -> ModuleType:
        """Imports the model's module, and Keras with it."""
        return importlib.import_module(self.module)


def _levels(settings: Mapping[str, Any]) -> int:
    """Returns the number of levels of a model with a list of widths."""
    widths = needed(settings, "widths")
    if not isinstance(widths, list | tuple) or not 1 <= len(widths) <= MAX_LENGTH:
        raise ValueError(f"widths is {widths!r:.50}, must be a list of 1 to {MAX_LENGTH} numbers")
    return len(widths)


MODELS = {
    "conv": ModelRecord(
        "colorize_core.models.conv",
        needs_square=False,
        multiple=lambda settings: 1 << _levels(settings),
    ),
    "conv_dense": ModelRecord(
        "colorize_core.models.conv_dense", needs_square=True, multiple=lambda settings: positive(settings, "side")
    ),
    "dense": ModelRecord(
        "colorize_core.models.dense", needs_square=True, multiple=lambda settings: positive(settings, "side")
    ),
    "unet": ModelRecord(
        "colorize_core.models.unet",
        needs_square=False,
        multiple=lambda settings: positive(settings, "first_stride", default=2) << (_levels(settings) - 1),
        has_linear_colors=True,
        takes_class_head=True,
        resolution_settings=("first_stride",),
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
    class_step: float | None = None,
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
        class_step: step of the grid of a second head, which predicts the odds of classes of ab; None for one head. The
            model's first output is then that of ``odds.ColorOdds``, from which inference takes all colors; the layers
            ``colors`` and ``logits`` are for the losses.

    Raises:
        RecipeError: the model or encoder is unknown, or a setting is unknown or has a wrong value.
    """
    if name not in MODELS:
        raise RecipeError(f"model.name is {name!r}; choose from {', '.join(sorted(MODELS))}")
    if ab_step is not None and color_space != "lab":
        raise RecipeError(f"classes of ab need data.color_space lab, not {color_space}")
    if class_step is not None and not (MODELS[name].takes_class_head and color_space == "lab" and ab_step is None):
        raise RecipeError(f"model {name} cannot have a class head beside this output")
    from colorize_core.models.blocks import Head

    head = Head(color_space, ab_step, temperature, class_step)
    check_settings(name, settings)
    module = MODELS[name].load()
    try:
        weights = estimate_weights(name, settings, has_encoder=encoder is not None)
        if weights > MAX_WEIGHTS:
            raise ValueError(
                f"the network would have about {weights:.1e} weights: at most {MAX_WEIGHTS:.1e} are allowed"
            )
        model: keras.Model = module.build(head=head, encoder=encoder, **settings)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"model.settings of {name}: {error}") from error
    return model


def inference_model(model: keras.Model) -> keras.Model:
    """Returns the part of a model from ``build`` that inference needs: its first output. Both share their weights."""
    import keras

    return model if len(model.outputs) == 1 else keras.Model(model.input, model.outputs[0])


def update_derived_weights(model: keras.Model) -> None:
    """Recomputes what layers derive from their weights. To be called after weights were assigned one by one."""
    import keras

    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):  # computes with a copy of its mean and variance
            layer.finalize_state()


def check_settings(name: str, settings: Mapping[str, Any]) -> None:
    """Checks the settings of a model without Keras.

    Raises:
        RecipeError: the model's ``build`` function does not take a name or a value, lacks a setting that it needs, or a
            number is absurdly large.
    """
    try:
        declared_settings.check(settings, MODELS[name].module)
        check_sizes(settings)
    except ValueError as error:
        raise RecipeError(f"model.settings of {name}: {error}") from error


def estimate_weights(name: str, settings: Mapping[str, Any], *, has_encoder: bool) -> int:
    """Estimates how many weights a model will have, within about a factor of two.

    Args:
        name: one of ``MODELS``.
        settings: arguments of the model's ``build`` function.
        has_encoder: True if one of ``ENCODERS`` replaces the model's own encoder; its weights are not counted.

    Raises:
        TypeError, ValueError: a setting has a wrong type or value.
    """
    estimate: int = MODELS[name].load().estimate_weights(settings, has_encoder=has_encoder)
    return estimate


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
