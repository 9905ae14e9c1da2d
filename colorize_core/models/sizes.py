"""Limits on the size of a network, which refuse an absurd ``model.settings`` before Keras builds anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

MAX_LENGTH = 32  # longest list in model.settings, which has an entry per level of the network
MAX_WEIGHTS = 1 << 29  # 2 GiB of float32, the most that an ONNX file holds
ENCODER_CHANNELS = 4096  # more than the deepest map of any encoder has
_MAX_NUMBER = 65_536  # largest number in model.settings: a width, a side, a count
_MAX_NESTING = 4  # deepest nesting of lists and mappings in model.settings


def check_sizes(settings: Any, depth: int = 0) -> None:
    """Raises ValueError if a number or a list in ``model.settings`` is larger than any network needs."""
    if isinstance(settings, Mapping | list | tuple):
        if len(settings) > MAX_LENGTH or depth == _MAX_NESTING:
            raise ValueError(f"model.settings has a list of more than {MAX_LENGTH} values, or lists nested too deep")
        for value in settings.values() if isinstance(settings, Mapping) else settings:
            check_sizes(value, depth + 1)
    elif isinstance(settings, int | float) and not -_MAX_NUMBER <= settings <= _MAX_NUMBER:  # refuses nan, too
        raise ValueError(f"a number in model.settings is {str(settings)[:20]}: the largest allowed is {_MAX_NUMBER:,}")


def needed(settings: Mapping[str, Any], name: str) -> Any:
    """Returns the value of a setting. Raises ValueError if it is missing."""
    if name not in settings:
        raise ValueError(f"{name} is missing")
    return settings[name]


def positive(settings: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Returns a setting that is a whole number from 1 on. Raises ValueError if it is missing or has another value."""
    value = needed(settings, name) if default is None else settings.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_NUMBER:
        raise ValueError(f"{name} is {value!r:.50}, must be a whole number from 1 to {_MAX_NUMBER:,}")
    return value


def whole_number(settings: Mapping[str, Any], name: str) -> int:
    """Returns the absolute value of a setting; 0 if the setting is missing."""
    return abs(int(settings.get(name, 0)))


def whole_numbers(settings: Mapping[str, Any], name: str) -> list[int]:
    """Returns the absolute values of a setting that is a list; [] if the setting is missing."""
    return [abs(int(value)) for value in settings.get(name, ())]


def chain_weights(widths: Sequence[int]) -> int:
    """Returns the number of weights of dense layers (or 1x1 convolutions) that lead from each width to the next."""
    return sum(a * b for a, b in pairwise(widths))


def autoencoder_weights(widths: Sequence[int]) -> int:
    """Returns the number of weights of 3x3 convolutions that go from gray through all widths and back."""
    return 2 * 9 * chain_weights([1, *widths]) + 3 * (widths[-1] if widths else 1) ** 2
