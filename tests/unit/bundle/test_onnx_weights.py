"""An ONNX file that refers to weights becomes whole again, and can refer to nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from colorize_core.bundle import onnx_weights
from colorize_core.bundle.facts import UnsafeError

RNG = np.random.default_rng(0)
WEIGHTS = {
    "0000.kernel": RNG.normal(size=(3, 3, 16, 32)).astype(np.float32),
    "0001.kernel": RNG.normal(size=(1, 1, 32, 64)).astype(np.float32),
    "0002.bias": RNG.normal(size=300).astype(np.float32),
}
SCALE = RNG.uniform(0.1, 3, (64, 1, 1, 1)).astype(np.float32)


def network() -> bytes:
    """Returns convolutions with the first kernel, with the second one times a scale, and with one that is unknown."""
    kernels = {
        "first": WEIGHTS["0000.kernel"].transpose(3, 2, 0, 1),
        "second": WEIGHTS["0001.kernel"].transpose(3, 2, 0, 1) * SCALE,
        "third": RNG.normal(size=(4, 64, 3, 3)).astype(np.float32),
        "bias": WEIGHTS["0002.bias"],
    }
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"]),
        helper.make_node("Conv", ["a", "second"], ["b"]),
        helper.make_node("Conv", ["b", "third"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None, "h", "w"]) for name in ("x", "y")]
    tensors = [numpy_helper.from_array(np.ascontiguousarray(each), name) for name, each in kernels.items()]
    graph = helper.make_graph(nodes, "network", values[:1], values[1:], tensors)
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8
    ).SerializeToString()
    return content


def run(content: bytes) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.random.default_rng(1).normal(size=(1, 16, 9, 9)).astype(np.float32)})[0]


def test_weights_leave_the_file_and_come_back() -> None:
    whole = network()
    separated = onnx_weights.separate(whole, WEIGHTS)
    kept = sum(each.nbytes for each in WEIGHTS.values())
    assert len(separated) < len(whole) - 0.95 * kept
    joined = onnx_weights.join(separated, WEIGHTS)
    onnx.checker.check_model(onnx.load_model_from_string(joined), full_check=True)
    np.testing.assert_allclose(run(joined), run(whole), rtol=1e-5, atol=1e-5)
    assert onnx_weights.separate(joined, WEIGHTS) == separated
    assert onnx_weights.join(onnx_weights.separate(joined, WEIGHTS), WEIGHTS) == joined


def test_a_file_without_references_is_as_it_was() -> None:
    whole = network()
    assert onnx_weights.join(whole, {}) == whole


def referring(change: Callable[[Any], Any]) -> bytes:
    """Returns a file with references, after a change of the first of them."""
    model = onnx.load_model_from_string(onnx_weights.separate(network(), WEIGHTS))
    tensors = [each for each in model.graph.initializer if each.data_location == TensorProto.EXTERNAL]
    change(tensors[0])
    content: bytes = model.SerializeToString()
    return content


def entry(key: str, value: str) -> Callable[[Any], None]:
    def change(tensor: Any) -> None:
        [found] = [each for each in tensor.external_data if each.key == key]
        found.value = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (entry("location", "/etc/passwd"), r"names external data \(/etc/passwd\)"),
        (entry("location", ""), "names external data"),
        (lambda tensor: tensor.external_data.add(key="offset", value="0"), "names external data"),
        (lambda tensor: tensor.ClearField("external_data"), "names external data"),
        (entry("name", "0009.kernel"), r"not there, or twice \(0009.kernel\)"),
        (entry("name", "0001.kernel"), "another shape|twice"),
        (entry("axes", "0,1,2"), "wrong axes"),
        (entry("axes", "0,1,2,2"), "wrong axes"),
        (entry("axes", "3,2,1,0,"), None),
        (entry("axes", "0,1,2,3"), "another shape"),
        (entry("axes", "²,2,0,1"), "wrong axes"),
        (lambda tensor: tensor.dims.append(2), "another shape"),
        (lambda tensor: setattr(tensor, "data_type", TensorProto.INT64), "another shape"),
    ],
)
def test_a_reference_to_anything_else_is_refused(change: Callable[[Any], Any], words: str | None) -> None:
    content = referring(change)
    if words is None:
        onnx_weights.join(content, WEIGHTS)
        return
    with pytest.raises(UnsafeError, match=words):
        onnx_weights.join(content, WEIGHTS)


def test_a_weight_is_referred_to_once() -> None:
    """Otherwise a small file with many references would become a large one."""
    model = onnx.load_model_from_string(onnx_weights.separate(network(), WEIGHTS))
    [first, *_] = [each for each in model.graph.initializer if each.data_location == TensorProto.EXTERNAL]
    again = model.graph.initializer.add()
    again.CopyFrom(first)
    again.name = "again"
    with pytest.raises(UnsafeError, match="not there, or twice"):
        onnx_weights.join(model.SerializeToString(), WEIGHTS)
