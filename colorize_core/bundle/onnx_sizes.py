"""Checks what determines the sizes of the tensors in an ONNX file.

No tensor's size may depend on the values of pixels: then a prediction with one image shows the cost of all images of
that size. Sizes may depend on other sizes only in the ways that the networks trained here need: then predictions at
some sizes show the cost of others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from colorize_core.bundle.facts import REMEDY, UnsafeError, shown

if TYPE_CHECKING:
    import onnx

_SHAPE_INPUTS = {  # positions of the inputs that determine the shape of an operator's output
    **dict.fromkeys(("Expand", "OneHot", "Reshape", "Split", "Squeeze", "TopK", "Unsqueeze", "Upsample"), (1,)),
    "Tile": (1, 2),
    "ConstantOfShape": (0,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
}
_ARITHMETIC_ON_SIZES = (
    *("Add", "Cast", "Concat", "Div", "Gather", "Identity", "Max", "Mul", "Neg"),
    *("ReduceProd", "Slice", "Split", "Squeeze", "Sub", "Unsqueeze"),
)
_LARGEST_FACTOR = 64  # largest factor between a size and another one that depends on it
_MOST_TERMS = 64
_MOST_AXES = 8
_DEEPEST = 8  # most nested operators in the formula of a size; the networks trained here have four
_INTEGERS = (6, 7)  # int32 and int64, by TensorProto.DataType


def check_sizes(graph: onnx.GraphProto, source: str) -> None:
    """Raises UnsafeError if the size of a tensor depends on pixels, or on other sizes in a way that is not known here.

    A network that fails this check could take little memory at the sizes that the sandbox tries, and all memory at
    others. The operators must be in order: an operator may only use results of earlier ones.

    Args:
        graph: the network.
        source: name of the network's input.
    """
    values = {source: _Value("pixels"), "": _Value("weights", ())}
    values.update((tensor.name, _constant(tensor)) for tensor in graph.initializer)
    producers = {name: node for node in graph.node for name in node.output if name}
    for node in graph.node:
        if unknown := [name for name in node.input if name not in values]:
            raise UnsafeError(f"has an operator whose input does not exist ({shown(unknown[0])}): {REMEDY}")
        inputs = [values[name] for name in node.input]
        shaping = [inputs[i] for i in _shape_inputs(node.op_type) if i < len(inputs)]
        if any(value.of == "pixels" for value in shaping):
            raise UnsafeError(f"has an operator whose size depends on the pixels ({node.op_type}): {REMEDY}")
        if any(value.of != "weights" for value in shaping) and not _is_plain(node, inputs, producers):
            raise UnsafeError(
                f"has an operator whose size depends on the image size in an unknown way ({node.op_type}): {REMEDY}"
            )
        values.update((name, value) for name, value in zip(node.output, _outputs(node, inputs), strict=False) if name)


@dataclass(frozen=True)
class _Dim:
    """The size of a tensor along an axis, multiplied by ``times``."""

    tensor: str
    axis: int
    times: int = 1


_Term = int | _Dim | tuple[Any, ...]  # a tuple holds an operator and its operands, which are terms


@dataclass(frozen=True)
class _Value:
    """The origin of a tensor's values.

    Attributes:
        of: what the values depend on: "pixels"; "weights" only; "sizes" of tensors, by a known formula; "mixed" for all
            else.
        terms: the formula of each value, if the values are known integers.
        axes: number of axes, 1 or 0, if ``terms`` are known.
        is_open: more values may follow ``terms``, because the number of axes of a tensor is not known.
    """

    of: Literal["pixels", "weights", "sizes", "mixed"]
    terms: tuple[_Term, ...] | None = None
    axes: int = 1
    is_open: bool = False

    @property
    def is_linear(self) -> bool:
        """True if each value is an integer, a multiple of a tensor's size, or a product of these."""
        return self.terms is not None and all(
            not isinstance(term, tuple) or term[0] == "ReduceProd" for term in self.terms
        )


def _shape_inputs(operator: str) -> tuple[int, ...]:
    """Returns the positions of the inputs that determine the shape of an operator's output."""
    return (1,) if operator.startswith("Reduce") else _SHAPE_INPUTS.get(operator, ())


def _constant(tensor: onnx.TensorProto) -> _Value:
    from onnx import numpy_helper

    if tensor.data_type not in _INTEGERS or math.prod(tensor.dims) > _MOST_TERMS or len(tensor.dims) > 1:
        return _Value("weights")
    return _Value("weights", tuple(map(int, numpy_helper.to_array(tensor).ravel())), len(tensor.dims))


def _outputs(node: onnx.NodeProto, inputs: list[_Value]) -> list[_Value]:
    """Returns the origin of each output of an operator, with its formula if the operator computes sizes from sizes."""
    settings = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type == "Constant":
        return [_constant(settings["value"].t) if "value" in settings else _Value("weights")]
    if node.op_type == "Shape" and not settings:
        return [_Value("sizes", tuple(_Dim(node.input[0], axis) for axis in range(_MOST_AXES)), is_open=True)]
    if node.op_type in _ARITHMETIC_ON_SIZES and any(value.of == "sizes" for value in inputs):
        computed = _compute_sizes(node, settings, inputs)
        if computed is not None:
            return computed
    of: Literal["pixels", "weights", "mixed"]
    if node.op_type in ("Shape", "Size"):
        of = "mixed"
    elif any(value.of == "pixels" for value in inputs):
        of = "pixels"
    elif any(value.of != "weights" for value in inputs):
        of = "mixed"
    else:
        of = "weights"
    return [_Value(of)] * len(node.output)


def _compute_sizes(
    node: onnx.NodeProto, settings: Mapping[str, onnx.AttributeProto], inputs: list[_Value]
) -> list[_Value] | None:
    """Returns the values that an operator computes from sizes, or None if no formula is known."""
    if any(value.terms is None for value in inputs):
        return None
    terms = [cast(tuple[_Term, ...], value.terms) for value in inputs]
    first, axes, is_open = terms[0], inputs[0].axes, inputs[0].is_open
    result: tuple[_Term, ...] | None = None
    match node.op_type:
        case "Identity":
            result = first
        case "Cast" if settings["to"].i in _INTEGERS:
            result = first
        case "Squeeze" if len(first) == axes == 1 and not is_open:
            result, axes = first, 0
        case "Unsqueeze" if axes == 0:
            result, axes = first, 1
        case "ReduceProd" if not is_open and not any(isinstance(term, tuple) for term in first):
            result = first if len(first) == 1 else (("ReduceProd", *first),)
            axes = 0 if "keepdims" in settings and not settings["keepdims"].i else axes
        case "Gather" if inputs[1].of == "weights" and axes == 1:
            if all(0 <= cast(int, i) < len(first) for i in terms[1]):
                result, axes, is_open = tuple(first[cast(int, i)] for i in terms[1]), inputs[1].axes, False
        case "Slice" if axes == 1 and all(value.of == "weights" for value in inputs[1:]):
            result, is_open = _slice(first, is_open, terms[1:])
        case "Concat" if all(value.axes == 1 for value in inputs) and not any(value.is_open for value in inputs[:-1]):
            result, is_open = tuple(term for part in terms for term in part), inputs[-1].is_open
        case "Split" if axes == 1 and not is_open and len(terms) == 1 and len(first) == len(node.output):
            return [_Value("sizes", (term,)) for term in first]
        case "Neg" if not is_open:
            result = tuple(("Neg", term) for term in first)
        case "Mul" | "Add" | "Sub" | "Max" | "Div" if len(terms) == 2 and not any(value.is_open for value in inputs):
            result, axes = _arithmetic(node.op_type, *terms), max(value.axes for value in inputs)
        case _:
            pass
    if result is None or len(result) > _MOST_TERMS:
        return None
    return [_Value("sizes", result, axes, is_open)]


def _slice(
    terms: tuple[_Term, ...], is_open: bool, bounds: list[tuple[_Term, ...]]
) -> tuple[tuple[_Term, ...] | None, bool]:
    """Returns the terms of a slice along the only axis and whether it is open; None and False for other slices."""
    if [len(bound) for bound in bounds[:2]] != [1, 1] or (len(bounds) > 2 and bounds[2:] != [(0,)]):  # has a step
        return None, False
    start, end = cast(int, bounds[0][0]), cast(int, bounds[1][0])
    if not 0 <= start < end:
        return None, False
    return terms[start:end], is_open and end > len(terms)


def _arithmetic(operator: str, left: tuple[_Term, ...], right: tuple[_Term, ...]) -> tuple[_Term, ...] | None:
    """Returns the term of an operator with two single values; None if it has more values or could become large."""
    if len(left) != 1 or len(right) != 1:
        return None
    [a], [b] = left, right
    if operator != "Mul":
        return None if _depth(a) + _depth(b) > _DEEPEST else ((operator, a, b),)
    if isinstance(a, int):
        a, b = b, a
    if not isinstance(a, _Dim) or not isinstance(b, int) or not 1 <= a.times * b <= _LARGEST_FACTOR:
        return None
    return (_Dim(a.tensor, a.axis, a.times * b),)


def _depth(term: _Term) -> int:
    return 1 + max(map(_depth, term[1:])) if isinstance(term, tuple) else 0


def _is_plain(node: onnx.NodeProto, inputs: list[_Value], producers: Mapping[str, onnx.NodeProto]) -> bool:
    """Returns True if an operator depends on sizes only in a way that the networks trained here need.

    ``Reshape`` takes no memory. ``Slice`` and ``Pad`` may bring the output of a ``ConvTranspose`` to a multiple of its
    input's size, each axis by itself. Any other use could give nothing at some image shapes and a huge tensor at one.
    """
    if node.op_type == "Reshape":
        return inputs[1].of == "sizes" and inputs[1].is_linear
    if any(value.is_open for value in inputs):
        return False
    if node.op_type == "Slice" and len(inputs) == 4:
        terms = [value.terms or () for value in inputs[1:]]
        return (
            inputs[3].of == "weights"
            and len({len(part) for part in terms}) == 1
            and len(set(terms[2])) == len(terms[2]) > 0
            and all(
                _is_crop(start, end, axis, node.input[0], producers) for start, end, axis in zip(*terms, strict=True)
            )
        )
    if node.op_type == "Pad" and len(inputs) in (2, 3):
        cropped = producers.get(node.input[0])
        pads = inputs[1].terms
        if cropped is None or cropped.op_type != "Slice" or pads is None or len(pads) != 8:
            return False
        return all(
            term == 0 or (i % 4 in (2, 3) and _is_filling(term, i % 4, cropped.input[0], producers))
            for i, term in enumerate(pads)
        )
    return False


def _is_crop(start: _Term, end: _Term, axis: _Term, tensor: str, producers: Mapping[str, onnx.NodeProto]) -> bool:
    """Returns True if start is (size - wanted) / 2 and end is start + wanted."""
    match end:
        case ("Add", begin, wanted) if begin == start and (axis == 2 or axis == 3):
            over = ("Sub", _Dim(tensor, axis), wanted)
            crops = start in (("Div", over, 2), ("Div", ("Max", over, 0), 2))
            return crops and _is_wanted(wanted, axis, tensor, producers)
        case _:
            return False


def _is_filling(term: _Term, axis: int, tensor: str, producers: Mapping[str, onnx.NodeProto]) -> bool:
    """Returns True if the term is max(wanted - size, 0)."""
    match term:
        case ("Max", ("Neg", ("Sub", _Dim(of, along, 1), wanted)), 0):
            return (of, along) == (tensor, axis) and _is_wanted(wanted, axis, tensor, producers)
        case _:
            return False


def _is_wanted(term: _Term, axis: int, tensor: str, producers: Mapping[str, onnx.NodeProto]) -> bool:
    """Returns True if a ConvTranspose made the tensor, and the term is a multiple of its input's size there."""
    producer = producers.get(tensor)
    if producer is None or producer.op_type != "ConvTranspose" or not isinstance(term, _Dim):
        return False
    return _origin(term.tensor, term.axis, producers) == _origin(producer.input[0], axis, producers)


def _origin(tensor: str, axis: int, producers: Mapping[str, onnx.NodeProto]) -> tuple[str, int]:
    """Returns the tensor and the axis from which an axis takes its size."""
    while (producer := producers.get(tensor)) is not None and producer.op_type in (
        "Transpose",
        "Relu",
        "Identity",
        "Clip",
    ):
        if producer.op_type == "Transpose":
            order = next((list(setting.ints) for setting in producer.attribute if setting.name == "perm"), [])
            if not axis < len(order) or not 0 <= order[axis] < len(order):
                break
            axis = order[axis]
        tensor = producer.input[0]
    return tensor, axis
