"""Pieces of ONNX files that mean harm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.unit.bundle.forgery import good_onnx

MEMORY = r"needs more than 10\d\d MiB of memory: download the bundle again, or train a new one"
Change = Callable[[onnx.ModelProto], Any]


def shape_of(*sides: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(sides, np.int64), "sides")


def mixed_in(*nodes: onnx.NodeProto, initializers: list[onnx.TensorProto] | None = None) -> Change:
    """Nodes whose output ``more`` decides what the network says, so that no optimizer leaves them out."""

    def change(model: onnx.ModelProto) -> None:
        graph = model.graph
        last = graph.node[-1]
        last.output[0] = "plain"
        graph.node.extend(nodes)
        graph.node.append(helper.make_node("ReduceMax", ["more"], ["one"], keepdims=0))
        graph.node.append(helper.make_node("Mul", ["plain", "one"], ["colors"]))
        graph.initializer.extend(initializers or [])

    return change


def node(operator: str, inputs: list[str], outputs: list[str], **settings: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, outputs, **settings)


def made(change: Change) -> bytes:
    model = good_onnx()
    change(model)
    content: bytes = model.SerializeToString()
    return content
