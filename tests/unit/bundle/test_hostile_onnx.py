"""A ``model.onnx`` that means harm ends as one line: nothing runs, reads another file or takes all memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from colorize_core import Colorizer, load_bundle
from tests.unit.bundle.forgery import good_onnx, refusal, refusals_under_limits

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
    """A node with a graph in it; the loop would go on for 2 ** 62 turns."""
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
    made = node(operator, ["turns", "yes", "kernel"], ["more"], **{name: inner})
    turns = [numpy_helper.from_array(np.int64(2**62), "turns"), numpy_helper.from_array(np.bool_(True), "yes")]
    return mixed_in(made, initializers=turns)


def second(what: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        getattr(model.graph, what).append(helper.make_tensor_value_info("planes", TensorProto.FLOAT, None))

    return change


def function(model: onnx.ModelProto) -> None:
    made = helper.make_function("mine", "F", ["a"], ["b"], [node("Identity", ["a"], ["b"])], model.opset_import)
    model.functions.append(made)


def sparse(model: onnx.ModelProto) -> None:
    values = helper.make_tensor("thin", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("places", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [1 << 40]))


def training(model: onnx.ModelProto) -> None:
    model.training_info.add().algorithm.name = "more"


def outer_products(model: onnx.ModelProto) -> None:
    """Each step squares the number of values: 128 ** 16."""
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


def whole(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def of_shape(*nodes: onnx.NodeProto) -> Change:
    """Nodes that make ``count`` of the input's ``n``, ``h`` and ``w``, and so many numbers of it.

    The result is added to the colors, times nothing.
    """

    def change(model: onnx.ModelProto) -> None:
        graph = model.graph
        graph.node[-1].output[0] = "plain"
        graph.node.append(node("Shape", ["lightness"], ["s"]))
        graph.node.extend(node("Gather", ["s", f"at_{side}"], [side]) for side in "nhw")
        graph.node.extend(nodes)
        if not any("more" in made.output for made in nodes):
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
    """Brings the width of a transposed convolution's output to a size of its input's, as tf2onnx does."""
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


HUGE = shape_of(1 << 20, 1 << 20)
LARGE = shape_of(30_000, 30_000)  # 3.6 GB
ONE = numpy_helper.from_array(np.ones((1, 1), np.float32), "unit")
MEMORY = r"needs more than 10\d\d MiB of memory: fetch it again or train anew"
CASES: dict[str, tuple[Change, str]] = {
    "external data": (external("weights.bin"), r"names external data \(weights.bin\): a bundle keeps everything in"),
    "external data elsewhere": (external("/etc/passwd"), r"names external data \(/etc/passwd\)"),
    "external data with a bad name": (external("a\x1b[2J\n<b>"), r"names external data \(a\\x1b\[2J &lt;b>\)"),
    "external data of a constant": (external("../weights.bin", True), r"names external data \(\.\./weights.bin\)"),
    "another domain": (mixed_in(node("Gelu", ["kernel"], ["more"], domain="com.microsoft")), r"com\.microsoft\.Gelu"),
    "an unknown domain": (
        mixed_in(node("Run", ["kernel"], ["more"], domain="my.own")),
        r"another domain \(my\.own\.Run",
    ),
    "functions": (function, "has functions or a training"),
    "training": (training, "has functions or a training"),
    "an unusual operator": (mixed_in(node("NonZero", ["kernel"], ["more"])), r"no network here has \(NonZero\)"),
    "Loop": (subgraph("Loop"), r"no network here has \(Loop\)"),
    "Scan": (subgraph("Scan"), r"no network here has \(Scan\)"),
    "If": (subgraph("If"), r"no network here has \(If\)"),
    "a graph in a plain operator": (subgraph("Identity"), r"a graph in it \(Identity\)"),
    "a sparse weight": (sparse, "has sparse"),
    "dims that do not fit": (with_dims(2, 1, 1 << 20, 1 << 20), "shape does not fit its bytes"),
    "negative dims": (with_dims(-2, -1, 1, 1), "shape does not fit its bytes"),
    "dims of nothing": (with_dims(0, 1 << 40, 1 << 40), "shape does not fit its bytes"),
    "two inputs": (second("input"), "has 2 inputs and 1 outputs"),
    "two outputs": (second("output"), "has 1 inputs and 2 outputs"),
    "no output": (lambda model: model.graph.ClearField("output"), "has 1 inputs and 0 outputs"),
    "integers": (declared("input", ["n", "h", "w", 1], TensorProto.UINT8), "an input that is not float32"),
    "color images": (declared("input", ["n", "h", "w", 3]), r"an input of \? x \? x \? x 3, not of n x h x w x 1"),
    "flat images": (declared("input", ["n", "h", 1]), r"an input of \? x \? x 1, "),
    "huge images": (declared("input", ["n", 1 << 40, "w", 1]), "a side that is not from 1 to 4096"),
    "no images": (declared("input", [0, "h", "w", 1]), "a side that is not from 1 to 4096"),
    "four channels": (with_kernel(4, ["n", "h", "w", 4]), "an output of .* x 4, not of n x h x w x 2 or 3"),
    "four channels unsaid": (with_kernel(4, ["n", "h", "w", "c"]), r"makes 1 x 128 x 128 x 4 .*, not 2 channels"),
    "a channel too many": (with_kernel(3, ["n", "h", "w", 3]), r"makes 1 x 128 x 128 x 3 .*, not 2 channels"),
    "a huge output": (declared("output", ["n", "h", 1 << 40, 2]), "a side that is not from 1 to 4096"),
    "integers out": (declared("output", ["n", "h", "w", 2], TensorProto.INT64), "an output that is not float32"),
    "an image for two": (
        lambda model: (
            model.graph.node.insert(0, node("Concat", ["lightness"] * 2, ["twice"], axis=0))
            or model.graph.node[1].input.__setitem__(0, "twice")
        ),
        "makes 2 x 128 x 128 x 2",
    ),
    "a size of pixels": (
        mixed_in(
            node("ReduceMax", ["lightness"], ["most"], keepdims=0),
            node("Cast", ["most"], ["count"], to=TensorProto.INT64),
            node("Unsqueeze", ["count", "sides"], ["counts"]),
            node("Expand", ["kernel", "counts"], ["more"]),
            initializers=[shape_of(0)],
        ),
        r"size depends on the pixels \(Expand\)",
    ),
    "an input from nowhere": (mixed_in(node("Abs", ["nowhere"], ["more"])), r"reads what is not there \(nowhere\)"),
    "ConstantOfShape": (mixed_in(node("ConstantOfShape", ["sides"], ["more"]), initializers=[HUGE]), MEMORY),
    "ConstantOfShape, less": (mixed_in(node("ConstantOfShape", ["sides"], ["more"]), initializers=[LARGE]), MEMORY),
    "Expand": (mixed_in(node("Expand", ["unit", "sides"], ["more"]), initializers=[LARGE, ONE]), MEMORY),
    "Tile": (mixed_in(node("Tile", ["unit", "sides"], ["more"]), initializers=[LARGE, ONE]), MEMORY),
    "Pad": (
        mixed_in(node("Pad", ["unit", "sides"], ["more"]), initializers=[shape_of(0, 0, 40_000, 40_000), ONE]),
        MEMORY,
    ),
    "Resize": (
        mixed_in(node("Resize", ["unit", "", "", "sides"], ["more"], mode="nearest"), initializers=[LARGE, ONE]),
        MEMORY,
    ),
    "Range": (
        mixed_in(
            node("Range", ["a", "b", "c"], ["long"]),
            node("Cast", ["long"], ["more"], to=TensorProto.FLOAT),
            initializers=[
                numpy_helper.from_array(np.int64(n), name) for name, n in (("a", 0), ("b", 1 << 40), ("c", 1))
            ],
        ),
        MEMORY,
    ),
    "doubling": (
        mixed_in(
            node("Identity", ["kernel"], ["x0"]),
            *(node("Concat", [f"x{i}"] * 2, [f"x{i + 1}"], axis=0) for i in range(40)),
            node("Identity", ["x40"], ["more"]),
        ),
        MEMORY,
    ),
    "outer products": (outer_products, MEMORY),
    "work": (work, "takes more than 3 seconds of a CPU"),
    "no numbers": (
        mixed_in(node("Sub", ["kernel", "kernel"], ["zero"]), node("Div", ["zero", "zero"], ["more"])),
        "numbers that are not finite",
    ),
    "an unknown version": (lambda model: model.opset_import[0].__setattr__("version", 9999), "cannot be loaded"),
}
NO_FILES = {
    "empty": b"",
    "text": b"not a network" * 100,
    "a format of ONNX Runtime's own": b"\x12\x20XXORTM" + bytes(100),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(1000),
}


def made(change: Change) -> bytes:
    model = good_onnx()
    change(model)
    content: bytes = model.SerializeToString()
    return content


def test_a_plain_network_colorizes(forge: Callable[..., Path]) -> None:
    bundle = load_bundle(str(forge()))
    assert Colorizer(bundle).colorize(np.full((40, 60), 99, np.uint8)).size == (60, 40)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", CASES)
def test_a_hostile_network_is_refused(case: str, forge: Callable[..., Path]) -> None:
    change, words = CASES[case]
    message = refusal(forge(network=made(change)))
    assert message.startswith("model.onnx of ")
    assert re.search(words, message), message


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", OF_SHAPE)
def test_a_network_that_grows_at_some_shapes_is_refused(case: str, forge: Callable[..., Path]) -> None:
    """Nothing at a square and at two images; all memory at 3:1, or at four."""
    nodes, operator = OF_SHAPE[case]
    words = rf"size depends on the picture's as in no network here \({operator}\)"
    assert re.search(words, refusal(forge(network=made(of_shape(*nodes)))))


def test_a_network_that_crops_as_ours_do_loads(forge: Callable[..., Path]) -> None:
    load_bundle(str(forge(network=made(of_shape(*crop("at_3"))))))


def outer(model: onnx.ModelProto) -> None:
    """The columns beyond the 200th, each times each, and those products again: no size is said."""
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
    """Four pictures of 256 x 96 have 21,504 pixels there, which make 1.8 GB."""
    assert re.search(MEMORY, refusal(forge(network=made(outer))))


@pytest.mark.parametrize("case", NO_FILES)
def test_what_is_no_network_is_refused(case: str, forge: Callable[..., Path]) -> None:
    assert "model.onnx of " in refusal(forge(network=NO_FILES[case]))


def test_a_network_in_the_words_of_another_format_is_refused(forge: Callable[..., Path]) -> None:
    """ONNX Runtime reads a format of its own where ``ORTM`` stands at the fifth byte, as it may in ONNX, too."""
    model = good_onnx()
    model.ClearField("ir_version")
    content = b"\x12\x06ABORTM" + model.SerializeToString()  # the field producer_name
    assert content[4:8] == b"ORTM"
    assert "is no ONNX file" in refusal(forge(network=content))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_network_ends_as_one_line_or_loads(seed: int, forge: Callable[..., Path]) -> None:
    rng = np.random.default_rng(seed)
    for i in range(5):
        content = bytearray(good_onnx().SerializeToString())
        for at in rng.integers(0, len(content), 4):
            content[at] = rng.integers(256)
        folder = forge(str(i), network=bytes(content))
        try:
            load_bundle(str(folder))
        except Exception:
            assert refusal(folder).startswith("model.onnx of ")


def test_names_that_are_no_text_are_refused(forge: Callable[..., Path]) -> None:
    content = good_onnx().SerializeToString().replace(b"Conv", b"C\xffnv")
    assert "is damaged (" in refusal(forge(network=content))


@pytest.mark.timeout(200)
def test_hostile_networks_take_little_memory(forge: Callable[..., Path]) -> None:
    """A gigabyte for the process that loads them; what it starts has the same limit."""
    cases = ["ConstantOfShape", "ConstantOfShape, less", "Tile", "doubling", "outer products", "Loop", "huge images"]
    folders = [forge(str(i), network=made(CASES[case][0])) for i, case in enumerate(cases)]
    # A hundred bytes of memory for each two of the file.
    folders.append(forge("many", network=b"\x3a\x80\x80\x80\x08" + b"\x0a\x00" * (8 << 20)))
    said = refusals_under_limits(folders, seconds=150)
    assert len(said) == len(folders)
    assert all(message.startswith("model.onnx of ") for message in said), said
