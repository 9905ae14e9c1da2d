"""Changes to an ONNX network that make it hostile."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.unit.bundle.networks import Change, mixed_in, node, shape_of


def external(location: str, in_attribute: bool = False) -> Change:
    def change(model: onnx.ModelProto) -> None:
        tensor = helper.make_tensor("kernel", TensorProto.FLOAT, [2, 1, 1, 1], [0.1, 0.2])
        if in_attribute:
            model.graph.node.insert(0, node("Constant", [], ["kernel"], value=tensor))
            tensor = model.graph.node[0].attribute[0].t
            del model.graph.initializer[:]
        else:
            model.graph.initializer[0].CopyFrom(tensor)
            tensor = model.graph.initializer[0]
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    return change


def with_dims(*dims: int) -> Change:
    def change(model: onnx.ModelProto) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)

    return change


def declared(what: str, sides: list[Any], kind: int = TensorProto.FLOAT) -> Change:
    def change(model: onnx.ModelProto) -> None:
        value = getattr(model.graph, what)[0]
        value.CopyFrom(helper.make_tensor_value_info(value.name, kind, sides))

    return change


def with_kernel(channels: int, sides: list[Any]) -> Change:
    def change(model: onnx.ModelProto) -> None:
        kernel = helper.make_tensor("kernel", TensorProto.FLOAT, [channels, 1, 1, 1], [0.1] * channels)
        model.graph.initializer[0].CopyFrom(kernel)
        declared("output", sides)(model)

    return change


def subgraph(operator: str) -> Change:
    """Adds a node that contains a graph. A loop would run 2 ** 62 times."""
    inner = helper.make_graph(
        [node("Identity", ["going"], ["goes"]), node("Identity", ["x"], ["y"])],
        "inner",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        ],
    )
    name = {"If": "then_branch"}.get(operator, "body")
    outer = node(operator, ["turns", "yes", "kernel"], ["more"], **{name: inner})
    turns = [numpy_helper.from_array(np.int64(2**62), "turns"), numpy_helper.from_array(np.bool_(True), "yes")]
    return mixed_in(outer, initializers=turns)


def second(what: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        getattr(model.graph, what).append(helper.make_tensor_value_info("planes", TensorProto.FLOAT, None))

    return change


def function(model: onnx.ModelProto) -> None:
    identity = [node("Identity", ["a"], ["b"])]
    model.functions.append(helper.make_function("mine", "F", ["a"], ["b"], identity, model.opset_import))


def sparse(model: onnx.ModelProto) -> None:
    values = helper.make_tensor("thin", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("places", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [1 << 40]))


def training(model: onnx.ModelProto) -> None:
    model.training_info.add().algorithm.name = "more"


def outer_products(model: onnx.ModelProto) -> None:
    """Adds three steps, each of which squares the number of values: up to 128 ** 16."""
    nodes = [node("Identity", ["lightness"], ["x0"])]
    for i in range(3):
        nodes += [
            node("Reshape", [f"x{i}", "column"], [f"c{i}"]),
            node("Reshape", [f"x{i}", "row"], [f"r{i}"]),
            node("MatMul", [f"c{i}", f"r{i}"], [f"x{i + 1}"]),
        ]
    nodes[-1].output[0] = "more"
    mixed_in(
        *nodes,
        initializers=[
            numpy_helper.from_array(np.int64([-1, 1]), "column"),
            numpy_helper.from_array(np.int64([1, -1]), "row"),
        ],
    )(model)


def work(model: onnx.ModelProto) -> None:
    """Hours of matrix products in 200 MB."""
    nodes = [node("ConstantOfShape", ["sides"], ["m0"])]
    nodes += [node("MatMul", [f"m{i}", "m0"], [f"m{i + 1}"]) for i in range(2000)]
    nodes[-1].output[0] = "more"
    mixed_in(*nodes, initializers=[shape_of(4000, 4000)])(model)
