"""The trained weights of a bundle in a safetensors file: ``0012.kernel`` is the 13th of the model's weights.

Kernels are stored as float16, which halves the file and changes no pixel of a photograph by more than 1 of 255. Vectors
stay float32: they are few, and variances of batch norm may be too small for float16.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colorize_core import models
from colorize_core.bundle.facts import REMEDY, UnsafeError, shown
from colorize_core.color import Floats
from colorize_core.errors import one_line

if TYPE_CHECKING:
    import keras

_LARGEST_HALF = 65_504.0
_DTYPES = ("float16", "float32")


def pack(model: keras.Model) -> bytes:
    """Returns the content of the file for a model, and rounds the model's weights to what the file holds."""
    from safetensors.numpy import save

    stored = {}
    for index, weight in enumerate(model.weights):
        array = _rounded(np.asarray(weight, np.float32))
        weight.assign(array.astype(np.float32))
        stored[f"{index:04}.{weight.name}"] = np.ascontiguousarray(array)
    models.update_derived_weights(model)
    content: bytes = save(stored)
    return content


def unpack(content: bytes) -> dict[str, Floats]:
    """Returns the weights by name, as float32 and in the order of the model's weights.

    Raises:
        UnsafeError: the content is not a safetensors file, or holds something other than float16 and float32.
    """
    from safetensors.numpy import load

    try:
        arrays = load(content)
    except MemoryError:
        raise
    except Exception as error:  # a class of safetensors; KeyError for dtypes unknown to NumPy
        raise UnsafeError(f"is not a safetensors file ({shown(one_line(error))}): {REMEDY}") from error
    for name, array in arrays.items():
        if array.dtype not in _DTYPES:
            raise UnsafeError(f"has weights that are not float16 or float32 ({shown(name)}): {REMEDY}")
    return {name: arrays[name].astype(np.float32) for name in sorted(arrays)}


def fill(model: keras.Model, arrays: Mapping[str, Floats]) -> None:
    """Sets the weights of a model. Raises ValueError if the arrays are those of another model."""
    weights = model.weights
    wanted = [(f"{index:04}.{weight.name}", tuple(weight.shape)) for index, weight in enumerate(weights)]
    for (name, shape), (found, array) in zip(wanted, arrays.items(), strict=False):
        if (name, shape) != (found, array.shape):
            raise ValueError(f"the model needs {name} {shape}, and the file has {found} {array.shape}")
    if len(wanted) != len(arrays):
        raise ValueError(f"the model needs {len(wanted)} weights, and the file has {len(arrays)}")
    for weight, array in zip(weights, arrays.values(), strict=True):
        weight.assign(array)
    models.update_derived_weights(model)


def _rounded(array: Floats) -> NDArray[Any]:
    """Returns the array as float16 if it is a kernel whose values fit, else unchanged."""
    is_kernel = array.ndim > 1
    return array.astype(np.float16) if is_kernel and np.abs(array).max(initial=0) <= _LARGEST_HALF else array
