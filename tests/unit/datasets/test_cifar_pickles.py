"""The pickled batches of CIFAR: read as published; refused if they are damaged or ask for more than arrays."""

from __future__ import annotations

import collections
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from colorize_core.datasets import cifar
from colorize_core.errors import InputError
from tests.unit.datasets.cifar_batches import RGB, ROWS, python2_batch


def load_batch(content: bytes, where: str) -> NDArray[np.uint8]:
    """Returns the pixels of a batch, without its labels."""
    return cifar.load_pickled(io.BytesIO(content), where, ())[0]


def test_a_batch_as_published() -> None:
    pixels = load_batch(python2_batch(ROWS), "data_batch_1")
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, RGB)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL))
def test_a_batch_of_this_python(protocol: int) -> None:
    """Protocol 5 is left out: it builds arrays by a function that no official batch names."""
    content = pickle.dumps({b"data": ROWS, b"labels": [6, 9, 9]}, protocol)
    np.testing.assert_array_equal(load_batch(content, "data_batch_1"), RGB)


class _Call:
    """An object that is pickled as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._call


@pytest.mark.parametrize("place", ["whole", "label", "key"])
def test_a_pickle_that_calls_is_refused_before_it_runs(tmp_path: Path, place: str) -> None:
    trace = tmp_path / "ran"
    call = _Call(os.mkdir, str(trace))
    content = {"whole": call, "label": {b"data": ROWS, b"labels": call}, "key": {call: 1, b"data": ROWS}}[place]
    with pytest.raises(InputError, match=r"test_batch is not a CIFAR batch \(asks for posix.mkdir, which no"):
        load_batch(pickle.dumps(content, 2), "test_batch")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        (_Call(eval, "1"), "__builtin__.eval"),
        (_Call(getattr, "x", "upper"), "__builtin__.getattr"),
        (_Call(np.load, "x.npy"), "numpy.load"),
        (_Call(os.system, "true"), "posix.system"),
        (collections.OrderedDict(), "collections.OrderedDict"),
    ],
)
def test_names_outside_the_short_list_are_refused(value: Any, asked: str) -> None:
    with pytest.raises(InputError, match=f"asks for {asked}"):
        load_batch(pickle.dumps(value, 2), "test_batch")


@pytest.mark.parametrize(
    "value",
    [
        {b"data": ROWS[:, :-1]},
        {b"data": ROWS.astype(np.float64)},
        {b"data": ROWS.tolist()},
        {b"data": b"bytes"},
        {b"data": None},
        [ROWS],
        ROWS,
        7,
        None,
    ],
    ids=lambda value: type(value).__name__,
)
def test_another_pickle_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"batch_9 is not a CIFAR batch .+: fetch the archive again"):
        load_batch(pickle.dumps(value, 2), "batch_9")


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x02", b".", python2_batch(ROWS)[:-1]])
def test_what_is_no_pickle_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="is not a CIFAR batch"):
        load_batch(content, "test_batch")


@pytest.mark.filterwarnings("ignore")  # NumPy warns of some damaged dtypes before it goes on
@pytest.mark.parametrize("byte", [0x00, 0x2E, 0xFF])
def test_damage_gives_pixels_or_an_input_error_and_nothing_else(byte: int) -> None:
    content = python2_batch(ROWS)
    head = content.index(b"\x89T")  # where the pixels begin
    refused = 0
    for at in range(head):
        try:
            assert load_batch(content[:at] + bytes([byte]) + content[at + 1 :], "x").shape[1:] == (32, 32, 3)
        except InputError:
            refused += 1
        with pytest.raises(InputError, match="x is not a CIFAR batch"):
            load_batch(content[:at], "x")
    assert refused > head / 2


@pytest.mark.parametrize("name", ["a\nb", "a\udce9b"])
def test_a_refusal_is_one_line_whatever_the_pickle_asks_for(name: str) -> None:
    content = b"\x80\x04" + b"".join(
        b"\x8c" + bytes([len(n)]) + n for n in (b"os", name.encode("utf-8", "surrogatepass"))
    )
    with pytest.raises(InputError, match=r"asks for os\.a.+b") as caught:
        load_batch(content + b"\x93.", "test_batch")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([0, 10, 1], "has a label of 10, need 0 to 9"),
        ([0, -1, 1], "has a label of -1, need 0 to 9"),
        ([0, 1], "3 images, but 2 of label"),
        ([0, 1, 2, 3], "3 images, but 4 of label"),
        ([[0, 1, 2]], "the labels are not a list of integers"),
        (np.array([[0, 1, 2]]), "the labels are not a list of integers"),
        (["a", "b", "c"], "the labels are not a list of integers"),
        (["1", "2", "3"], "the labels are not a list of integers"),
        ([0.5, 1.0, 2.0], "the labels are not a list of integers"),
        ([True, 1, 2], "the labels are not a list of integers"),
        (np.array([0.5, 1, 2]), "other than whole numbers"),
        ([0, 1, 2**64], "is not a CIFAR batch"),
        (None, "is not a CIFAR batch"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Any, says: str) -> None:
    content = pickle.dumps({b"data": ROWS, b"labels": labels}, 2)
    with pytest.raises(InputError, match=f"test_batch .*{says}"):
        cifar.load_pickled(io.BytesIO(content), "test_batch", ("label",))


def _call(name: str, *arguments: object) -> Any:
    """Returns an object that is pickled as a call of ``numpy.<name>``."""

    class Call:
        def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
            return getattr(np, name), arguments

    return Call()


@pytest.mark.parametrize("protocol", range(6))
def test_what_python_3_pickles_is_read(protocol: int) -> None:
    for order in (">i8", "<i2", "u1"):
        content = pickle.dumps({b"data": ROWS, b"labels": np.array([3, 4, 5], order)}, protocol)
        pixels, labels = cifar.load_pickled(io.BytesIO(content), "test_batch", ("label",))
        np.testing.assert_array_equal(pixels, RGB)
        assert labels["label"].tolist() == [3, 4, 5]


_BEGUN = b"\x80\x02(U\x04datacnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR"


_LABELED = b"U\x06labels](I1\ned."


_STATE = b"(I3\nX\x01\0\0\0>NNNI-1\nI-1\nI2\ntb"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "content",
    [
        # Dtypes whose state would make NumPy read past its memory.
        _BEGUN + b"(I1\n(I100000\nt" + b"cnumpy\ndtype\n(X\x03\0\0\0>i4tR" + _STATE + b"I00\n]tb" + _LABELED,
        _BEGUN + b"(I1\n(I1\nI3072\ntcnumpy\ndtype\n((U\x02u1}U\x01a(U\x02u1I0\ntstt\x85RI00\nU\x00tb" + _LABELED,
        _BEGUN + b"(I1\n(I-1\nI3072\ntcnumpy\ndtype\n(U\x02u1tRI00\nU\x00tb" + _LABELED,
        _BEGUN + b"(I1\n(I9\nI3072\ntcnumpy\ndtype\n(U\x02u1tRI00\nU\x01atb" + _LABELED,
        # Few bytes that ask for much.
        b"\x80\x02Nr\xff\xff\xff\x06.",
        b"\x80\x02Nr\xff\xff\xff\xff.",
        b"\x80\x02]" + b"q\x00(h\x00h\x00l" * 60 + b"cnumpy\ndtype\n\x85R.",
        b"\x80\x02X\x01\0\0\0a" + b"c_codecs\nencode\n" + b"X\x09\0\0\0hex_codec\x86R.",
        # What would stay changed.
        b"\x80\x02cnumpy\ndtype\n(N}U\x0c__defaults__I1\nstb.",
        b"\x80\x02cnumpy\nndarray\n)\x81.",
    ],
)
def test_a_hostile_pickle_is_refused_and_harms_nothing(content: bytes) -> None:
    with pytest.raises(InputError, match="test_batch is not a CIFAR batch") as caught:
        cifar.load_pickled(io.BytesIO(content), "test_batch", ("label",))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "fields",
    [
        {b"data": ROWS, b"labels": _call("ndarray", (1,), np.dtype("O"), b"AAAAAAAA")},  # an address of their choice
        {b"data": _call("ndarray", (5, 3072), np.dtype("u1")), b"labels": [0] * 5},  # whatever the memory held
        {b"data": _call("ndarray", (1000, 3072), np.dtype("u1"), b"AAAAAAAA", 0, (0, 0)), b"labels": [0] * 1000},
        {b"data": ROWS, b"labels": np.array([1, 2, 3], object)},
        {b"data": ROWS.astype("O"), b"labels": [1, 2, 3]},
    ],
)
def test_an_array_that_reads_foreign_memory_is_refused(fields: dict[bytes, Any]) -> None:
    with pytest.raises(
        InputError, match=r"test_batch is not a CIFAR batch .*(calls numpy\.ndarray|than whole numbers)"
    ):
        cifar.load_pickled(io.BytesIO(pickle.dumps(fields, 2)), "test_batch", ("label",))


def test_labels_may_be_an_array() -> None:
    content = pickle.dumps({b"data": ROWS, b"labels": np.array([3, 4, 5])}, 2)
    _, labels = cifar.load_pickled(io.BytesIO(content), "test_batch", ("label",))
    assert labels["label"].tolist() == [3, 4, 5]


def test_a_batch_of_the_other_set_has_no_such_field() -> None:
    content = pickle.dumps({b"data": ROWS, b"fine_labels": [1, 2, 3]}, 2)
    with pytest.raises(InputError, match="test_batch has no field b'labels': need a batch as published"):
        cifar.load_pickled(io.BytesIO(content), "test_batch", ("label",))
