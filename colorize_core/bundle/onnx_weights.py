"""Stores each weight of a bundle once: ``model.onnx`` refers to the weights that lie in ``weights.safetensors``.

A conversion from Keras copies weights, with their axes in another order, and multiplies many kernels by the scale of
the batch norm behind them. In the file, such an initializer is a reference to the weight, followed by the
multiplication. A reference is external data with the keys ``location``, ``name`` (of the weight) and ``axes`` (their
order). Nobody but this module resolves them, in memory, so no other file can be read through them.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from colorize_core.bundle.facts import REMEDY, WEIGHTS, UnsafeError, shown
from colorize_core.color import Floats
from colorize_core.errors import one_line

if TYPE_CHECKING:
    import onnx

_FEWEST = 256  # numbers; smaller initializers stay in model.onnx
_FEWEST_SCALED = 4  # numbers with the same factor, below which any weight might seem to fit
_ROUNDING = 1e-6  # largest relative difference between scaled weights and an initializer


def separate(content: bytes, weights: Mapping[str, Floats]) -> bytes:
    """Returns an ONNX file that refers to the weights, wherever an initializer holds the same or scaled numbers.

    ``join`` of the result gives the same network, except for rounding of scaled numbers: to it, this function and
    ``join`` can be applied again without any change.

    Args:
        content: a whole ONNX file.
        weights: arrays by name, from ``weights_file.unpack``.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_model_from_string(content)
    by_sides = defaultdict(list)
    for name, array in weights.items():
        by_sides[tuple(sorted(array.shape))].append(name)
    scalings = []
    for tensor in list(model.graph.initializer):
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < _FEWEST:
            continue
        values = numpy_helper.to_array(tensor)
        names = by_sides[tuple(sorted(values.shape))]
        found = next((match for name in names if (match := _match(name, weights[name], values))), None)
        if found is None:
            continue
        names.remove(found.name)  # each weight is referred to once, so that joined files are at most twice as large
        if found.scale is not None:
            product, tensor.name = tensor.name, f"{tensor.name}/weight"
            factor = numpy_helper.from_array(found.scale, f"{product}/scale")
            model.graph.initializer.append(factor)
            scalings.append(helper.make_node("Mul", [tensor.name, factor.name], [product]))
        _refer(tensor, found)
    nodes = [*scalings, *model.graph.node]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    separated: bytes = model.SerializeToString()
    return separated


def join(content: bytes, weights: Mapping[str, Floats]) -> bytes:
    """Returns the whole ONNX file for one that refers to weights.

    Raises:
        UnsafeError: the file is not an ONNX file, or refers to anything but these weights, each at most once.
    """
    model = parse_onnx(content)
    unused = dict(weights)
    for tensor in model.graph.initializer:
        if tensor.data_location == tensor.EXTERNAL:
            _resolve(tensor, unused)
    joined: bytes = model.SerializeToString()
    return joined


def parse_onnx(content: bytes) -> onnx.ModelProto:
    """Parses an ONNX file. Raises UnsafeError if it is none."""
    import onnx

    try:
        return onnx.load_model_from_string(content)
    except MemoryError:
        raise
    except Exception as error:  # protobuf raises classes of its own
        raise UnsafeError(f"is not an ONNX file ({shown(one_line(error))}): {REMEDY}") from error


class _Match(NamedTuple):
    """A weight with reordered axes, times ``scale`` if that is not None, is an initializer."""

    name: str
    axes: tuple[int, ...]
    scale: Floats | None


def _match(name: str, weight: Floats, values: Floats) -> _Match | None:
    orders = [
        axes
        for axes in itertools.permutations(range(weight.ndim))
        if tuple(weight.shape[axis] for axis in axes) == values.shape
    ]
    for axes in orders:
        if np.array_equal(weight.transpose(axes), values):
            return _Match(name, axes, None)
    for axes, scaled in itertools.product(orders, range(weight.ndim)):
        if (scale := _scale(weight.transpose(axes), values, scaled)) is not None:
            return _Match(name, axes, scale)
    return None


def _scale(weight: Floats, values: Floats, axis: int) -> Floats | None:
    """Returns the factors along an axis that give the values, of a shape to multiply with; None if there are none."""
    if weight.size < _FEWEST_SCALED * weight.shape[axis]:
        return None
    others = tuple(other for other in range(weight.ndim) if other != axis)
    # Sums of squares and products: the factor of a row is its scalar product with the values, over its own square.
    squares = np.square(weight, dtype=np.float64).sum(axis=others, keepdims=True)
    products = (weight.astype(np.float64) * values).sum(axis=others, keepdims=True)
    with np.errstate(over="ignore"):  # of another weight
        scale: Floats = np.divide(products, squares, out=np.zeros_like(squares), where=squares > 0).astype(np.float32)
    return scale if np.allclose(weight * scale, values, rtol=_ROUNDING, atol=0) else None


def _refer(tensor: onnx.TensorProto, match: _Match) -> None:
    for field in ("raw_data", "float_data"):
        tensor.ClearField(field)
    tensor.data_location = tensor.EXTERNAL
    entries = {"location": WEIGHTS, "name": match.name, "axes": ",".join(map(str, match.axes))}
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)


def _resolve(tensor: onnx.TensorProto, weights: dict[str, Floats]) -> None:
    """Puts the numbers of a weight into a tensor, and removes the weight from ``weights``."""
    reference = {entry.key: entry.value for entry in tensor.external_data}
    location, name = reference.get("location", ""), reference.get("name", "")
    if location != WEIGHTS or set(reference) != {"location", "name", "axes"}:
        raise UnsafeError(f"names external data ({shown(location)}) other than weights of {WEIGHTS}: {REMEDY}")
    weight = weights.pop(name, None)
    if weight is None:
        raise UnsafeError(f"refers to a weight that is not there, or twice ({shown(name)}): {REMEDY}")
    axes = [int(axis) for axis in reference["axes"].split(",") if axis.isdecimal() and axis.isascii()]
    if sorted(axes) != list(range(weight.ndim)):
        raise UnsafeError(f"refers to a weight with wrong axes ({shown(name)}): {REMEDY}")
    values = weight.transpose(axes)
    if tensor.data_type != tensor.FLOAT or list(tensor.dims) != list(values.shape):
        raise UnsafeError(f"refers to a weight of another shape ({shown(name)}): {REMEDY}")
    for field in ("data_location", "external_data"):
        tensor.ClearField(field)
    tensor.raw_data = np.ascontiguousarray(values, "<f4").tobytes()
