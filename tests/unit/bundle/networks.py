"""Parts of hostile ONNX files."""

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
    """Adds nodes. Their output ``more`` is a factor of the colors, so that no optimizer removes them."""

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


def changed_network(change: Change) -> bytes:
    """Returns the ONNX file of a good network after a change."""
    model = good_onnx()
    change(model)
    content: bytes = model.SerializeToString()
    return content
