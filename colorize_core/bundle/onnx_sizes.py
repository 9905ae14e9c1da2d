"""Checks what decides the sizes of the tensors in an ONNX file.

No operator's size may follow from the values of pixels, so that a trial with one image tells what all images of that
size cost; and from sizes only as in networks that training makes here, so that a trial at some sizes tells what others
cost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from colorize_core.bundle.facts import UnsafeError, shown

if TYPE_CHECKING:
    import onnx

_NEED = "fetch it again or train anew"
_SIZES = {  # which inputs of an operator decide the shape of its output
    **dict.fromkeys(("Expand", "OneHot", "Reshape", "Split", "Squeeze", "TopK", "Unsqueeze", "Upsample"), (1,)),
    "Tile": (1, 2),
    "ConstantOfShape": (0,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
}
_OF_SIZES = (
    *("Add", "Cast", "Concat", "Div", "Gather", "Identity", "Max", "Mul", "Neg"),
    *("ReduceProd", "Slice", "Split", "Squeeze", "Sub", "Unsqueeze"),
)
_MOST_TIMES = 64  # a size that decides another
_MOST_TERMS = 64
_MOST_AXES = 8
_DEEPEST = 8  # operators between sizes and what they decide; networks here have four
_WHOLE = (6, 7)  # int32 and int64, by TensorProto.DataType


def check_sizes(graph: onnx.GraphProto, source: str) -> None:
    """Checks that operators stand in their order, and that nothing decides a size but weights and plain sizes.

    Otherwise a network may take little at the sizes of a trial, and all memory at others.
    """
    values = {source: _Value("pixels"), "": _Value("weights", ())}
    values.update((tensor.name, _constant(tensor)) for tensor in graph.initializer)
    makers = {name: node for node in graph.node for name in node.output if name}
    for node in graph.node:
        if unknown := [name for name in node.input if name not in values]:
            raise UnsafeError(f"has an operator that reads what is not there ({shown(unknown[0])}): {_NEED}")
        inputs = [values[name] for name in node.input]
        deciding = [inputs[i] for i in _deciding(node.op_type) if i < len(inputs)]
        if any(value.of == "pixels" for value in deciding):
            raise UnsafeError(f"has an operator whose size depends on the pixels ({node.op_type}): {_NEED}")
        if any(value.of != "weights" for value in deciding) and not _is_plain(node, inputs, makers):
            raise UnsafeError(
                f"has an operator whose size depends on the picture's as in no network here ({node.op_type}): {_NEED}"
            )
        values.update((name, value) for name, value in zip(node.output, _outputs(node, inputs), strict=False) if name)


@dataclass(frozen=True)
class _Dim:
    """``times`` the size of a tensor along an axis."""

    tensor: str
    axis: int
    times: int = 1


_Term = int | _Dim | tuple[Any, ...]  # a tuple: an operator, and the terms that it takes


@dataclass(frozen=True)
class _Value:
    """The origin of a tensor's values.

    Attributes:
        of: "pixels"; "weights" alone; "sizes" of tensors, by the operators of ``_outputs``; or "mixed", by others.
        terms: each of its values, where they are known whole numbers.
        axes: how many it has then, 1 or 0.
        is_open: further values may follow these, of axes that the tensor may have.
    """

    of: Literal["pixels", "weights", "sizes", "mixed"]
    terms: tuple[_Term, ...] | None = None
    axes: int = 1
    is_open: bool = False

    @property
    def is_linear(self) -> bool:
        """Each of its values is a whole number, or a tensor's size some times; or a product of such."""
        return self.terms is not None and all(
            not isinstance(term, tuple) or term[0] == "ReduceProd" for term in self.terms
        )


def _deciding(operator: str) -> tuple[int, ...]:
    """Returns which inputs of an operator decide the shape of its output."""
    return (1,) if operator.startswith("Reduce") else _SIZES.get(operator, ())


def _constant(tensor: onnx.TensorProto) -> _Value:
    from onnx import numpy_helper

    if tensor.data_type not in _WHOLE or math.prod(tensor.dims) > _MOST_TERMS or len(tensor.dims) > 1:
        return _Value("weights")
    return _Value("weights", tuple(map(int, numpy_helper.to_array(tensor).ravel())), len(tensor.dims))


def _outputs(node: onnx.NodeProto, inputs: list[_Value]) -> list[_Value]:
    """Returns the origin of an operator's outputs: sizes, if of sizes by operators that tf2onnx writes for them."""
    settings = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type == "Constant":
        return [_constant(settings["value"].t) if "value" in settings else _Value("weights")]
    if node.op_type == "Shape" and not settings:
        return [_Value("sizes", tuple(_Dim(node.input[0], axis) for axis in range(_MOST_AXES)), is_open=True)]
    made = None
    if node.op_type in _OF_SIZES and any(value.of == "sizes" for value in inputs):
        made = _of_sizes(node, settings, inputs)
    if made is not None:
        return made
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


def _of_sizes(
    node: onnx.NodeProto, settings: Mapping[str, onnx.AttributeProto], inputs: list[_Value]
) -> list[_Value] | None:
    """Returns what an operator makes of sizes; None if that is not plain."""
    if any(value.terms is None for value in inputs):
        return None
    terms = [cast(tuple[_Term, ...], value.terms) for value in inputs]
    first, axes, is_open = terms[0], inputs[0].axes, inputs[0].is_open
    made: tuple[_Term, ...] | None = None
    match node.op_type:
        case "Identity":
            made = first
        case "Cast" if settings["to"].i in _WHOLE:
            made = first
        case "Squeeze" if len(first) == axes == 1 and not is_open:
            made, axes = first, 0
        case "Unsqueeze" if axes == 0:
            made, axes = first, 1
        case "ReduceProd" if not is_open and not any(isinstance(term, tuple) for term in first):
            made = first if len(first) == 1 else (("ReduceProd", *first),)
            axes = 0 if "keepdims" in settings and not settings["keepdims"].i else axes
        case "Gather" if inputs[1].of == "weights" and axes == 1:
            if all(0 <= cast(int, i) < len(first) for i in terms[1]):
                made, axes, is_open = tuple(first[cast(int, i)] for i in terms[1]), inputs[1].axes, False
        case "Slice" if axes == 1 and all(value.of == "weights" for value in inputs[1:]):
            made, is_open = _slice(first, is_open, terms[1:])
        case "Concat" if all(value.axes == 1 for value in inputs) and not any(value.is_open for value in inputs[:-1]):
            made, is_open = tuple(term for part in terms for term in part), inputs[-1].is_open
        case "Split" if axes == 1 and not is_open and len(terms) == 1 and len(first) == len(node.output):
            return [_Value("sizes", (term,)) for term in first]
        case "Neg" if not is_open:
            made = tuple(("Neg", term) for term in first)
        case "Mul" | "Add" | "Sub" | "Max" | "Div" if len(terms) == 2 and not any(value.is_open for value in inputs):
            made, axes = _arithmetic(node.op_type, *terms), max(value.axes for value in inputs)
        case _:
            pass
    if made is None or len(made) > _MOST_TERMS:
        return None
    return [_Value("sizes", made, axes, is_open)]


def _slice(
    terms: tuple[_Term, ...], is_open: bool, bounds: list[tuple[_Term, ...]]
) -> tuple[tuple[_Term, ...] | None, bool]:
    if [len(bound) for bound in bounds[:2]] != [1, 1] or (len(bounds) > 2 and bounds[2:] != [(0,)]):  # or with a step
        return None, False
    start, end = cast(int, bounds[0][0]), cast(int, bounds[1][0])
    if not 0 <= start < end:
        return None, False
    return terms[start:end], is_open and end > len(terms)


def _arithmetic(operator: str, left: tuple[_Term, ...], right: tuple[_Term, ...]) -> tuple[_Term, ...] | None:
    """Terms of two operands of one value each; of such products alone as stay small."""
    if len(left) != 1 or len(right) != 1:
        return None
    [a], [b] = left, right
    if operator != "Mul":
        return None if _depth(a) + _depth(b) > _DEEPEST else ((operator, a, b),)
    if isinstance(a, int):
        a, b = b, a
    if not isinstance(a, _Dim) or not isinstance(b, int) or not 1 <= a.times * b <= _MOST_TIMES:
        return None
    return (_Dim(a.tensor, a.axis, a.times * b),)


def _depth(term: _Term) -> int:
    return 1 + max(map(_depth, term[1:])) if isinstance(term, tuple) else 0


def _is_plain(node: onnx.NodeProto, inputs: list[_Value], makers: Mapping[str, onnx.NodeProto]) -> bool:
    """Returns True if sizes decide no more than those of networks here do.

    ``Reshape`` takes no memory. ``Slice`` and ``Pad`` may bring the output of a ``ConvTranspose`` to a multiple of its
    input's size, each axis by itself: what else they leave may be nothing at some shapes of pictures, and much at one.
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
            and all(_is_crop(start, end, axis, node.input[0], makers) for start, end, axis in zip(*terms, strict=True))
        )
    if node.op_type == "Pad" and len(inputs) in (2, 3):
        cropped = makers.get(node.input[0])
        pads = inputs[1].terms
        if cropped is None or cropped.op_type != "Slice" or pads is None or len(pads) != 8:
            return False
        return all(
            term == 0 or (i % 4 in (2, 3) and _is_filling(term, i % 4, cropped.input[0], makers))
            for i, term in enumerate(pads)
        )
    return False


def _is_crop(start: _Term, end: _Term, axis: _Term, tensor: str, makers: Mapping[str, onnx.NodeProto]) -> bool:
    """[(size - wanted) / 2, that + wanted]."""
    match end:
        case ("Add", begin, wanted) if begin == start and (axis == 2 or axis == 3):
            over = ("Sub", _Dim(tensor, axis), wanted)
            crops = start in (("Div", over, 2), ("Div", ("Max", over, 0), 2))
            return crops and _is_wanted(wanted, axis, tensor, makers)
        case _:
            return False


def _is_filling(term: _Term, axis: int, tensor: str, makers: Mapping[str, onnx.NodeProto]) -> bool:
    """wanted - size, where that is more than nothing."""
    match term:
        case ("Max", ("Neg", ("Sub", _Dim(of, along, 1), wanted)), 0):
            return (of, along) == (tensor, axis) and _is_wanted(wanted, axis, tensor, makers)
        case _:
            return False


def _is_wanted(term: _Term, axis: int, tensor: str, makers: Mapping[str, onnx.NodeProto]) -> bool:
    """Some times the size along the same axis of what a ConvTranspose took that made a tensor."""
    maker = makers.get(tensor)
    if maker is None or maker.op_type != "ConvTranspose" or not isinstance(term, _Dim):
        return False
    return _origin(term.tensor, term.axis, makers) == _origin(maker.input[0], axis, makers)


def _origin(tensor: str, axis: int, makers: Mapping[str, onnx.NodeProto]) -> tuple[str, int]:
    """The tensor and its axis from which an axis has its size."""
    while (maker := makers.get(tensor)) is not None and maker.op_type in ("Transpose", "Relu", "Identity", "Clip"):
        if maker.op_type == "Transpose":
            order = next((list(setting.ints) for setting in maker.attribute if setting.name == "perm"), [])
            if not axis < len(order) or not 0 <= order[axis] < len(order):
                break
            axis = order[axis]
        tensor = maker.input[0]
    return tensor, axis
