"""Checks a ``model.onnx`` before ONNX Runtime reads it: the file must hold a plain network with all of its weights.

Only the operators in a list are allowed. They compute with tensors and do nothing else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from colorize_core.bundle.facts import REMEDY, UnsafeError, shown
from colorize_core.bundle.onnx_sizes import check_sizes
from colorize_core.bundle.onnx_weights import parse_onnx

if TYPE_CHECKING:
    import onnx

_LARGEST = (1 << 31) - 1  # bytes: the limit of protobuf
_ORT_MARK = b"ORTM"  # marks ONNX Runtime's own format at byte 4; ONNX Runtime would not read such a file as ONNX
_MOST_NODES = 100_000
_LARGEST_SIDE = 4096
_DOMAINS = ("", "ai.onnx")
_MATHS = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip
    Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN
    LeakyRelu Less LessOrEqual Log LogSoftmax Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu
    Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor
    ArgMax ArgMin AveragePool BatchNormalization Conv ConvTranspose CumSum Dropout Einsum Gemm GlobalAveragePool
    GlobalLpPool GlobalMaxPool GroupNormalization InstanceNormalization LRN LayerNormalization LpNormalization LpPool
    MatMul MaxPool MeanVarianceNormalization RMSNormalization ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
"""
_SHAPES = """
    Concat Constant ConstantOfShape DepthToSpace EyeLike Expand Flatten Gather GatherElements GatherND OneHot Pad Range
    Reshape Resize ScatterElements ScatterND Shape Size Slice SpaceToDepth Split Squeeze Tile TopK Transpose Unsqueeze
    Upsample
"""
_OPERATORS = frozenset((_MATHS + _SHAPES).split())
_BYTES = {  # bytes per number, by TensorProto.DataType
    **{1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8},
    **{9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2},
}
_FIELDS = {  # the field of the numbers if they are not in raw_data, by TensorProto.DataType
    **dict.fromkeys((2, 3, 4, 5, 6, 9, 10, 16), "int32_data"),
    **{1: "float_data", 7: "int64_data", 11: "double_data", 12: "uint64_data", 13: "uint64_data"},
}


def check_onnx(content: bytes) -> None:
    """Raises UnsafeError if the content of a ``model.onnx`` is not a plain network; the message says why."""
    if len(content) > _LARGEST or content[4:8] == _ORT_MARK:
        raise UnsafeError(f"is not an ONNX file: {REMEDY}")
    model = parse_onnx(content)
    if not model.graph.node:
        raise UnsafeError(f"is not an ONNX file, or one without a network: {REMEDY}")
    if model.functions or model.training_info:
        raise UnsafeError(f"has functions or a training in it: {REMEDY}")
    _check_graph(model.graph)


def _check_graph(graph: onnx.GraphProto) -> None:
    if graph.sparse_initializer or graph.quantization_annotation:
        raise UnsafeError(f"has sparse or quantized weights: {REMEDY}")
    if len(graph.node) > _MOST_NODES:
        raise UnsafeError(f"has {len(graph.node):,} operators, more than {_MOST_NODES:,}: {REMEDY}")
    for tensor in graph.initializer:
        _check_tensor(tensor)
    weights = {tensor.name for tensor in graph.initializer}
    if len(weights) < len(graph.initializer):
        raise UnsafeError(f"has two weights of one name: {REMEDY}")
    inputs = [value for value in graph.input if value.name not in weights]  # old files list weights as inputs
    if len(inputs) != 1 or len(graph.output) != 1:
        raise UnsafeError(f"has {len(inputs)} inputs and {len(graph.output)} outputs, not one of each: {REMEDY}")
    _check_value(inputs[0], "input", (1,))
    _check_value(graph.output[0], "output", (2, 3, 5))  # ab, RGB, or a class head; the recipe says which
    for node in graph.node:
        _check_node(node)
    check_sizes(graph, inputs[0].name)


def _check_value(value: onnx.ValueInfoProto, what: str, channels: tuple[int, ...]) -> None:
    """Checks that an input or output is float32 [n, h, w, channels], as far as its shape is declared."""
    tensor = value.type.tensor_type
    if tensor.elem_type != 1:
        raise UnsafeError(f"has an {what} that is not float32: {REMEDY}")
    if not tensor.HasField("shape"):
        if what == "output":
            return  # the prediction in the sandbox shows the shape
        raise UnsafeError(f"has an {what} without a shape: {REMEDY}")
    sides = [side.dim_value if side.HasField("dim_value") else None for side in tensor.shape.dim]
    if len(sides) != 4 or sides[3] not in (channels if what == "input" else (*channels, None)):
        declared = " x ".join("?" if side is None else str(side) for side in sides)
        wanted = f"n x h x w x {' or '.join(map(str, channels))}"
        raise UnsafeError(f"has an {what} of {declared}, not of {wanted}: {REMEDY}")
    if any(side is not None and not 1 <= side <= _LARGEST_SIDE for side in sides):
        raise UnsafeError(f"has an {what} with a side that is not from 1 to {_LARGEST_SIDE}: {REMEDY}")


def _check_node(node: onnx.NodeProto) -> None:
    if node.domain not in _DOMAINS:
        raise UnsafeError(f"has an operator of another domain ({shown(f'{node.domain}.{node.op_type}')}): {REMEDY}")
    if node.op_type not in _OPERATORS:
        raise UnsafeError(f"has an operator that no network here has ({shown(node.op_type)}): {REMEDY}")
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise UnsafeError(f"has an operator with a graph in it ({node.op_type}): {REMEDY}")
        if (
            attribute.HasField("sparse_tensor")
            or attribute.sparse_tensors
            or attribute.HasField("tp")
            or attribute.type_protos
            or attribute.ref_attr_name
        ):
            raise UnsafeError(f"has an operator with a setting that no network here has ({node.op_type}): {REMEDY}")
        if attribute.HasField("t"):
            _check_tensor(attribute.t)
        for tensor in attribute.tensors:
            _check_tensor(tensor)


def _check_tensor(tensor: onnx.TensorProto) -> None:
    """Checks that the numbers of a tensor are in the file, and that there are as many as its shape says."""
    if tensor.data_location or tensor.external_data:
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        raise UnsafeError(f"names external data ({shown(location)}): a bundle keeps everything in its files; {REMEDY}")
    if tensor.data_type not in _BYTES or tensor.HasField("segment"):
        raise UnsafeError(f"has a weight that is not numeric ({shown(tensor.name)}): {REMEDY}")
    count = math.prod(tensor.dims)
    if tensor.HasField("raw_data"):
        fits = len(tensor.raw_data) == count * _BYTES[tensor.data_type]
    else:
        fits = len(getattr(tensor, _FIELDS[tensor.data_type])) == count
    if not fits or any(side < 0 for side in tensor.dims):
        raise UnsafeError(f"has a weight whose shape does not fit its bytes ({shown(tensor.name)}): {REMEDY}")
