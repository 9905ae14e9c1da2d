"""The pickles of CIFAR-10: read as they are published, and refused where they ask for more than arrays."""

from __future__ import annotations

import collections
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from colorize_core.datasets import cifar
from colorize_core.errors import InputError


def load_batch(content: bytes, where: str) -> NDArray[np.uint8]:
    """The pixels; the label of each is looked at elsewhere."""
    return cifar.load_pickled(content, where, ())[0]


RGB: NDArray[np.uint8] = np.random.default_rng(5).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
ROWS: NDArray[np.uint8] = RGB.transpose(0, 3, 1, 2).reshape(3, 3072)  # as CIFAR has it: 1024 red, 1024 green, 1024 blue


def _python2_batch(rows: NDArray[np.uint8]) -> bytes:
    """A batch as Python 2 and NumPy 1 wrote it: protocol 2, byte strings, ``numpy.core.multiarray``."""
    pixels = rows.tobytes()
    return (
        b"\x80\x02}(U\x0bbatch_labelU\x15training batch 1 of 5U\x06labels](K\x06K\x09K\x09eU\x04data"
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01" + b"J" + struct.pack("<i", len(rows)) + b"M\x00\x0c\x86"
        b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + struct.pack("<i", len(pixels)) + pixels + b"tbu."
    )


def test_a_batch_as_published() -> None:
    pixels = load_batch(_python2_batch(ROWS), "data_batch_1")
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, RGB)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL))
def test_a_batch_of_this_python(protocol: int) -> None:
    """Protocol 5 is left out: it builds arrays by a function that no official batch names."""
    content = pickle.dumps({b"data": ROWS, b"labels": [6, 9, 9]}, protocol)
    np.testing.assert_array_equal(load_batch(content, "data_batch_1"), RGB)


class _Call:
    """Pickles to a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._call


@pytest.mark.parametrize("place", ["whole", "label", "key"])
def test_a_pickle_that_calls_is_refused_before_it_runs(tmp_path: Path, place: str) -> None:
    trace = tmp_path / "ran"
    call = _Call(os.mkdir, str(trace))
    content = {"whole": call, "label": {b"data": ROWS, b"labels": call}, "key": {call: 1, b"data": ROWS}}[place]
    with pytest.raises(InputError, match=r"test_batch is no CIFAR batch \(asks for posix.mkdir, which no"):
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
    with pytest.raises(InputError, match=r"batch_9 is no CIFAR batch .+: fetch the archive again"):
        load_batch(pickle.dumps(value, 2), "batch_9")


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x02", b".", _python2_batch(ROWS)[:-1]])
def test_what_is_no_pickle_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="is no CIFAR batch"):
        load_batch(content, "test_batch")


@pytest.mark.filterwarnings("ignore")  # NumPy warns of some damaged dtypes before it goes on
@pytest.mark.parametrize("byte", [0x00, 0x2E, 0xFF])
def test_damage_gives_pixels_or_an_input_error_and_nothing_else(byte: int) -> None:
    content = _python2_batch(ROWS)
    head = content.index(b"\x89T")  # where the pixels begin
    refused = 0
    for at in range(head):
        try:
            assert load_batch(content[:at] + bytes([byte]) + content[at + 1 :], "x").shape[1:] == (32, 32, 3)
        except InputError:
            refused += 1
        with pytest.raises(InputError, match="x is no CIFAR batch"):
            load_batch(content[:at], "x")
    assert refused > head / 2
