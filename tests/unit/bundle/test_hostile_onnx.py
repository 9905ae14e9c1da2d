"""A hostile ``model.onnx`` gives a one-line error: no code runs, no other file is read, and memory stays small."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper

from colorize_core import Colorizer, load_bundle
from colorize_core.bundle.facts import UnsafeError
from colorize_core.bundle.onnx_check import check_onnx
from tests.unit.bundle.forgery import good_onnx, refusal, refusals_under_limits
from tests.unit.bundle.hostile_networks import (
    declared,
    external,
    function,
    outer_products,
    second,
    sparse,
    subgraph,
    training,
    with_dims,
    with_kernel,
    work,
)
from tests.unit.bundle.networks import MEMORY, Change, changed_network, mixed_in, node, shape_of

HUGE = shape_of(1 << 20, 1 << 20)
LARGE = shape_of(30_000, 30_000)  # 3.6 GB
ONE = numpy_helper.from_array(np.ones((1, 1), np.float32), "unit")
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
    "four channels unsaid": (with_kernel(4, ["n", "h", "w", "c"]), r"predicts 1 x 128 x 128 x 4 .*, not 2 channels"),
    "a channel too many": (with_kernel(3, ["n", "h", "w", 3]), r"predicts 1 x 128 x 128 x 3 .*, not 2 channels"),
    "a huge output": (declared("output", ["n", "h", 1 << 40, 2]), "a side that is not from 1 to 4096"),
    "integers out": (declared("output", ["n", "h", "w", 2], TensorProto.INT64), "an output that is not float32"),
    "an image for two": (
        lambda model: (
            model.graph.node.insert(0, node("Concat", ["lightness"] * 2, ["twice"], axis=0))
            or model.graph.node[1].input.__setitem__(0, "twice")
        ),
        "predicts 2 x 128 x 128 x 2",
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
    "an input from nowhere": (mixed_in(node("Abs", ["nowhere"], ["more"])), r"input does not exist \(nowhere\)"),
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
        rf"{MEMORY}|takes more than 3 seconds of CPU time",  # on busy CPUs, clearing 1 GiB takes that long
    ),
    "outer products": (outer_products, MEMORY),
    "work": (work, "takes more than 3 seconds of CPU time"),
    "no numbers": (
        mixed_in(node("Sub", ["kernel", "kernel"], ["zero"]), node("Div", ["zero", "zero"], ["more"])),
        "numbers that are not finite",
    ),
    "an unknown version": (lambda model: model.opset_import[0].__setattr__("version", 9999), "cannot be loaded"),
}
TRIED = (  # the graph says nothing of these; a trial in the sandbox does
    "four channels unsaid",
    "a channel too many",
    "an image for two",
    "ConstantOfShape",
    "ConstantOfShape, less",
    "Expand",
    "Tile",
    "Pad",
    "Resize",
    "Range",
    "doubling",
    "outer products",
    "work",
    "no numbers",
    "an unknown version",
)
NO_FILES = {
    "empty": b"",
    "text": b"not a network" * 100,
    "a format of ONNX Runtime's own": b"\x12\x20XXORTM" + bytes(100),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(1000),
}


def test_a_plain_network_colorizes(forge: Callable[..., Path]) -> None:
    bundle = load_bundle(str(forge()))
    assert Colorizer(bundle).colorize(np.full((40, 60), 99, np.uint8)).size == (60, 40)


@pytest.mark.parametrize("case", [case for case in CASES if case not in TRIED])
def test_a_hostile_network_is_refused_before_a_session_opens_it(case: str) -> None:
    change, words = CASES[case]
    with pytest.raises(UnsafeError, match=words):
        check_onnx(changed_network(change))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", TRIED)
def test_a_network_that_a_trial_unmasks_is_refused(case: str, forge: Callable[..., Path]) -> None:
    change, words = CASES[case]
    message = refusal(forge(network=changed_network(change)))
    assert message.startswith("model.onnx of ")
    assert re.search(words, message), message


@pytest.mark.parametrize("case", NO_FILES)
def test_what_is_no_network_is_refused(case: str, forge: Callable[..., Path]) -> None:
    assert "model.onnx of " in refusal(forge(network=NO_FILES[case]))


def test_a_network_in_the_words_of_another_format_is_refused(forge: Callable[..., Path]) -> None:
    """ONNX Runtime takes a file for its own format if bytes 5 to 8 are ``ORTM``, as they can be in ONNX."""
    model = good_onnx()
    model.ClearField("ir_version")
    content = b"\x12\x06ABORTM" + model.SerializeToString()  # the field producer_name
    assert content[4:8] == b"ORTM"
    assert "is not an ONNX file" in refusal(forge(network=content))


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
    """The process that loads the networks, and each process that it starts, is limited to a gigabyte."""
    cases = ["ConstantOfShape", "ConstantOfShape, less", "Tile", "doubling", "outer products", "Loop", "huge images"]
    cases += ["external data", "an unknown domain", "functions", "a graph in a plain operator"]
    folders = [forge(str(i), network=changed_network(CASES[case][0])) for i, case in enumerate(cases)]
    # Parsed, each two bytes of this file take a hundred bytes of memory.
    folders.append(forge("many", network=b"\x3a\x80\x80\x80\x08" + b"\x0a\x00" * (8 << 20)))
    messages = refusals_under_limits(folders, seconds=150)
    assert len(messages) == len(folders)
    assert all(message.startswith("model.onnx of ") for message in messages), messages
