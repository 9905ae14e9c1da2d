"""Checks a ``model.onnx`` before ONNX Runtime reads it: a plain network, with all of its weights in the file.

What is allowed is listed, not what is forbidden: operators that compute with tensors and call nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from colorize_core.bundle.facts import UnsafeError, shown
from colorize_core.bundle.onnx_sizes import check_sizes
from colorize_core.errors import one_line

if TYPE_CHECKING:
    import onnx

_NEED = "fetch it again or train anew"
_LARGEST = (1 << 31) - 1  # bytes: the limit of protobuf
_ORT_MARK = b"ORTM"  # at byte 4 of files in a format of ONNX Runtime's own, which it prefers
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
_BYTES = {  # of a number, by TensorProto.DataType
    **{1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8},
    **{9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2},
}
_FIELDS = {  # where numbers lie that are not in raw_data
    **dict.fromkeys((2, 3, 4, 5, 6, 9, 10, 16), "int32_data"),
    **{1: "float_data", 7: "int64_data", 11: "double_data", 12: "uint64_data", 13: "uint64_data"},
}


def check_onnx(content: bytes) -> None:
    """Checks the content of a ``model.onnx``. Raises UnsafeError, which says what is wrong with it."""
    import onnx

    if len(content) > _LARGEST or content[4:8] == _ORT_MARK:
        raise UnsafeError(f"is no ONNX file: {_NEED}")
    try:
        model = onnx.load_model_from_string(content)
    except MemoryError:
        raise
    except Exception as error:  # protobuf's
        raise UnsafeError(f"is no ONNX file ({shown(one_line(error))}): {_NEED}") from error
    if not model.graph.node:
        raise UnsafeError(f"is no ONNX file, or one without a network: {_NEED}")
    if model.functions or model.training_info:
        raise UnsafeError(f"has functions or a training in it: {_NEED}")
    _check_graph(model.graph)


def _check_graph(graph: onnx.GraphProto) -> None:
    if graph.sparse_initializer or graph.quantization_annotation:
        raise UnsafeError(f"has sparse or quantized weights: {_NEED}")
    if len(graph.node) > _MOST_NODES:
        raise UnsafeError(f"has {len(graph.node):,} operators, more than {_MOST_NODES:,}: {_NEED}")
    for tensor in graph.initializer:
        _check_tensor(tensor)
    weights = {tensor.name for tensor in graph.initializer}
    if len(weights) < len(graph.initializer):
        raise UnsafeError(f"has two weights of one name: {_NEED}")
    inputs = [value for value in graph.input if value.name not in weights]  # old files list their weights, too
    if len(inputs) != 1 or len(graph.output) != 1:
        raise UnsafeError(f"has {len(inputs)} inputs and {len(graph.output)} outputs, not one of each: {_NEED}")
    _check_value(inputs[0], "input", (1,))
    _check_value(graph.output[0], "output", (2, 3))
    for node in graph.node:
        _check_node(node)
    check_sizes(graph, inputs[0].name)


def _check_value(value: onnx.ValueInfoProto, what: str, channels: tuple[int, ...]) -> None:
    """Checks that an input or output is float32 [n, h, w, channels], where its shape is declared."""
    tensor = value.type.tensor_type
    if tensor.elem_type != 1:
        raise UnsafeError(f"has an {what} that is not float32: {_NEED}")
    if not tensor.HasField("shape"):
        if what == "output":
            return  # the trial tells
        raise UnsafeError(f"has an {what} without a shape: {_NEED}")
    sides = [side.dim_value if side.HasField("dim_value") else None for side in tensor.shape.dim]
    if len(sides) != 4 or sides[3] not in (channels if what == "input" else (*channels, None)):
        said = " x ".join("?" if side is None else str(side) for side in sides)
        raise UnsafeError(f"has an {what} of {said}, not of n x h x w x {' or '.join(map(str, channels))}: {_NEED}")
    if any(side is not None and not 1 <= side <= _LARGEST_SIDE for side in sides):
        raise UnsafeError(f"has an {what} with a side that is not from 1 to {_LARGEST_SIDE}: {_NEED}")


def _check_node(node: onnx.NodeProto) -> None:
    if node.domain not in _DOMAINS:
        raise UnsafeError(f"has an operator of another domain ({shown(f'{node.domain}.{node.op_type}')}): {_NEED}")
    if node.op_type not in _OPERATORS:
        raise UnsafeError(f"has an operator that no network here has ({shown(node.op_type)}): {_NEED}")
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise UnsafeError(f"has an operator with a graph in it ({node.op_type}): {_NEED}")
        if (
            attribute.HasField("sparse_tensor")
            or attribute.sparse_tensors
            or attribute.HasField("tp")
            or attribute.type_protos
            or attribute.ref_attr_name
        ):
            raise UnsafeError(f"has an operator with a setting that no network here has ({node.op_type}): {_NEED}")
        if attribute.HasField("t"):
            _check_tensor(attribute.t)
        for tensor in attribute.tensors:
            _check_tensor(tensor)


def _check_tensor(tensor: onnx.TensorProto) -> None:
    """Checks that all of a tensor is in the file, and no more than its shape says."""
    if tensor.data_location or tensor.external_data:
        named = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        raise UnsafeError(f"names external data ({shown(named)}): a bundle keeps everything in its own files; {_NEED}")
    if tensor.data_type not in _BYTES or tensor.HasField("segment"):
        raise UnsafeError(f"has a weight that is no number ({shown(tensor.name)}): {_NEED}")
    count = math.prod(tensor.dims)
    if tensor.HasField("raw_data"):
        fits = len(tensor.raw_data) == count * _BYTES[tensor.data_type]
    else:
        held = len(getattr(tensor, _FIELDS[tensor.data_type]))
        fits = held == count
    if not fits or any(side < 0 for side in tensor.dims):
        raise UnsafeError(f"has a weight whose shape does not fit its bytes ({shown(tensor.name)}): {_NEED}")
