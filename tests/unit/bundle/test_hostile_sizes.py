"""A ``model.onnx`` is refused if it needs little memory for some image sizes and all memory for others."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from colorize_core import load_bundle
from colorize_core.bundle.facts import UnsafeError
from colorize_core.bundle.onnx_check import check_onnx
from tests.unit.bundle.forgery import refusal
from tests.unit.bundle.networks import MEMORY, Change, changed_network, node


def whole(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def of_shape(*nodes: onnx.NodeProto) -> Change:
    """Adds nodes that compute ``count`` from the input's ``n``, ``h`` and ``w``, and a tensor of ``count`` numbers.

    The sum of the tensor, times zero, is added to the colors, so that no optimizer removes it.
    """

    def change(model: onnx.ModelProto) -> None:
        graph = model.graph
        graph.node[-1].output[0] = "plain"
        graph.node.append(node("Shape", ["lightness"], ["s"]))
        graph.node.extend(node("Gather", ["s", f"at_{side}"], [side]) for side in "nhw")
        graph.node.extend(nodes)
        if not any("more" in each.output for each in nodes):
            graph.node.append(node("ConstantOfShape", ["count"], ["more"]))
        graph.node.append(node("Exp", ["more"], ["exp"]))
        graph.node.append(node("ReduceSum", ["exp"], ["sum"], keepdims=0))
        graph.node.append(node("Mul", ["sum", "nothing"], ["none"]))
        graph.node.append(node("Add", ["plain", "none"], ["colors"]))
        graph.initializer.extend(whole(f"at_{side}", i) for i, side in enumerate("nhw"))
        graph.initializer.extend([whole("zero", 0), whole("one", 1), whole("two", 2), whole("many", 5_000_000)])
        graph.initializer.append(numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "kernel_"))
        graph.initializer.append(whole("at_3", 3))
        graph.initializer.extend([whole("four", 4), whole("no", -1), whole("table", *[1] * 200, 1 << 40)])
        graph.initializer.append(numpy_helper.from_array(np.float32(0), "nothing"))

    return change


def crop(wanted: str) -> list[onnx.NodeProto]:
    """Returns nodes that crop a transposed convolution's output to a side of its input, as tf2onnx does."""
    return [
        node("ConvTranspose", ["planes", "kernel_"], ["same"]),
        node("Shape", ["same"], ["sides"]),
        node("Gather", ["sides", "at_3"], ["wide"]),
        node("Shape", ["planes"], ["given"]),
        node("Gather", ["given", wanted], ["wanted"]),
        node("Sub", ["wide", "wanted"], ["over"]),
        node("Div", ["over", "two"], ["begin"]),
        node("Add", ["begin", "wanted"], ["end"]),
        node("Slice", ["same", "begin", "end", "at_3"], ["more"]),
    ]


BEYOND_TWO = [  # w - 2h, where that is more than nothing
    node("Mul", ["h", "two"], ["h2"]),
    node("Sub", ["w", "h2"], ["over"]),
    node("Max", ["over", "zero"], ["wide"]),
]
OF_SHAPE: dict[str, tuple[list[onnx.NodeProto], str]] = {
    "more than twice as wide as high": ([*BEYOND_TWO, node("Mul", ["wide", "many"], ["count"])], "ConstantOfShape"),
    "more than two images": (
        [
            node("Sub", ["n", "two"], ["over"]),
            node("Max", ["over", "zero"], ["some"]),
            node("Mul", ["some", "many"], ["count"]),
        ],
        "ConstantOfShape",
    ),
    "a product of sides": (
        [node("Mul", ["h", "w"], ["hw"]), node("Mul", ["hw", "n"], ["count"])],
        "ConstantOfShape",
    ),
    "ReduceProd": ([node("ReduceProd", ["s"], ["count"], axes=[0])], "ConstantOfShape"),
    "Size": (
        [node("Size", ["lightness"], ["size"]), node("Unsqueeze", ["size", "zero"], ["count"])],
        "ConstantOfShape",
    ),
    "Pow": ([node("Pow", ["n", "four"], ["count"])], "ConstantOfShape"),
    "a table": ([node("Gather", ["table", "w"], ["count"])], "ConstantOfShape"),
    "sums of sizes": (
        [
            node("Expand", ["nothing", "s"], ["zeros"]),
            node("Exp", ["zeros"], ["ones"]),
            node("ReduceSum", ["ones"], ["sums"], keepdims=1),
            node("Cast", ["sums"], ["count"], to=TensorProto.INT64),
        ],
        "Expand",
    ),
    "plain sizes": ([node("Identity", ["s"], ["count"])], "ConstantOfShape"),
    "Range": (
        [
            *BEYOND_TWO,
            node("Mul", ["wide", "many"], ["last"]),
            *(node("Squeeze", [name], [f"{name}_"]) for name in ("zero", "last", "one")),
            node("Range", ["zero_", "last_", "one_"], ["long"]),
            node("Cast", ["long"], ["more"], to=TensorProto.FLOAT),
        ],
        "Range",
    ),
    "Tile": (
        [*BEYOND_TWO, node("Reshape", ["nothing", "one"], ["row"]), node("Tile", ["row", "wide"], ["more"])],
        "Tile",
    ),
    "Slice": (
        [*BEYOND_TWO, node("Slice", ["lightness", "zero", "wide", "two"], ["more"])],
        "Slice",
    ),
    "Slice of a ConvTranspose": (
        [
            *BEYOND_TWO,
            node("ConvTranspose", ["planes", "kernel_"], ["same"]),
            node("Slice", ["same", "zero", "wide", "two"], ["more"]),
        ],
        "Slice",
    ),
    "Slice to the other side": (crop("two"), "Slice"),
    "Pad": (
        [
            *BEYOND_TWO,
            node("Concat", ["zero"] * 6 + ["wide"] * 2, ["pads"], axis=0),
            node("Pad", ["planes", "pads"], ["more"]),
        ],
        "Pad",
    ),
    "Reshape": (
        [
            *BEYOND_TWO,
            node("Concat", ["wide", "no"], ["sides"], axis=0),
            node("Reshape", ["lightness", "sides"], ["more"]),
        ],
        "Reshape",
    ),
}


@pytest.mark.parametrize("case", OF_SHAPE)
def test_a_network_that_grows_at_some_shapes_is_refused(case: str) -> None:
    """The networks need little memory for squares and for two images, but all memory at 3:1 or for four images."""
    nodes, operator = OF_SHAPE[case]
    words = rf"size depends on the image size in an unknown way \({operator}\)"
    with pytest.raises(UnsafeError, match=words):
        check_onnx(changed_network(of_shape(*nodes)))


def test_a_network_that_crops_as_ours_do_loads(forge: Callable[..., Path]) -> None:
    load_bundle(str(forge(network=changed_network(of_shape(*crop("at_3"))))))


def outer(model: onnx.ModelProto) -> None:
    """Adds the product of all pairs of pixels beyond column 200. The file declares no sizes for it."""
    graph = model.graph
    graph.node[-1].output[0] = "plain"
    graph.node.extend(
        [
            node("Slice", ["lightness", "start", "end", "two"], ["right"]),
            node("Reshape", ["right", "column"], ["c"]),
            node("Reshape", ["right", "row"], ["r"]),
            node("MatMul", ["c", "r"], ["more"]),
            node("Exp", ["more"], ["exp"]),
            node("ReduceSum", ["exp"], ["sum"], keepdims=0),
            node("Mul", ["sum", "nothing"], ["none"]),
            node("Add", ["plain", "none"], ["colors"]),
        ]
    )
    graph.initializer.extend([whole("start", 200), whole("end", 1 << 30), whole("two", 2)])
    graph.initializer.extend([whole("column", -1, 1), whole("row", 1, -1)])
    graph.initializer.append(numpy_helper.from_array(np.float32(0), "nothing"))


@pytest.mark.timeout(60)
def test_a_network_that_grows_at_wide_pictures_alone_is_refused(forge: Callable[..., Path]) -> None:
    """Four images of 256 x 96 have 21,504 pixels beyond column 200, and their products need 1.8 GB."""
    assert re.search(MEMORY, refusal(forge(network=changed_network(outer))))
