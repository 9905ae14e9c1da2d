"""Pickles of plain values and arrays of whole numbers, from strangers.

``pickle`` runs what a file asks for, and NumPy's own objects can be brought to read any memory by the state that a file
gives them. Here nothing of the file meets either: Python's own interpreter of pickles (its C twin takes memory for
what a few bytes promise), of whose instructions only those that build values are left, fills stand-ins that check what
they are given, and arrays are made of their bytes at the end.
"""

from __future__ import annotations

import math
import pickle
from typing import IO, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

_CALLED = 60  # characters of a name that a message shows
_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric", "numpy")
_NAMES = tuple(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8))
_LEFT_OUT = (
    *(pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.INST, pickle.OBJ),
    *(pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
)


def load(file: IO[bytes]) -> Any:
    """The value in a pickle; arrays are instances of ``Array``, strings of Python 2 bytes.

    Raises:
        pickle.UnpicklingError: it asks for more than plain values and arrays of whole numbers.
        Exception: it is damaged; of whatever kind Python's interpreter of pickles then raises.
    """
    try:
        return _Interpreter(file, encoding="bytes").load()
    except KeyError as error:  # of the table of instructions
        raise pickle.UnpicklingError("has an instruction that no data set needs") from error


class Array:
    """Stands for an array of whole numbers while a pickle is read."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: NDArray[Any] = np.empty(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        if type(state) is not tuple or len(state) != 5 or state[0] != 1:
            raise pickle.UnpicklingError("has an array in an unknown form")
        _, shape, dtype, by_column, content = state
        self.fill(content, dtype, shape, "F" if by_column is True or by_column == 1 else "C")

    def fill(self, content: Any, dtype: Any, shape: Any, order: Any) -> None:
        """Takes the bytes of the values, if they are as many as the shape says. Raises UnpicklingError."""
        if type(dtype) is not _Dtype or type(content) not in (bytes, bytearray) or order not in ("C", "F"):
            raise pickle.UnpicklingError("has an array that is not bytes of whole numbers")
        sizes_fit = type(shape) is tuple and len(shape) <= 4 and all(type(n) is int and n >= 0 for n in shape)
        if not sizes_fit or math.prod(shape) * dtype.numpy.itemsize != len(content):
            raise pickle.UnpicklingError("has an array of another shape than its bytes")
        self.values = np.frombuffer(content, dtype.numpy).reshape(shape, order=order)


class _Dtype:
    """Stands for the dtype of whole numbers."""

    __slots__ = ("numpy",)

    def __init__(self, name: Any) -> None:
        name = name.decode("latin-1") if type(name) is bytes else name
        if type(name) is not str or name not in _NAMES:
            raise pickle.UnpicklingError("has an array of other than whole numbers")
        self.numpy = np.dtype(name)

    def __setstate__(self, state: Any) -> None:
        plain = type(state) is tuple and len(state) >= 5 and state[2] is state[3] is state[4] is None
        order = state[1] if plain else None
        order = order.decode("latin-1") if type(order) is bytes else order
        if type(order) is not str or order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("has an array of other than whole numbers")
        self.numpy = np.dtype(order + self.numpy.str[1:])


class _Function:
    """What a pickle may call; it has nothing that can be set."""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> Any:
        raise pickle.UnpicklingError("calls numpy.ndarray, which no data set needs")


class _Reconstruct(_Function):
    def __call__(self, *arguments: Any) -> Array:
        return Array()  # whatever the arguments are: what fills it is checked


class _MakeDtype(_Function):
    def __call__(self, *arguments: Any) -> _Dtype:
        return _Dtype(*arguments[:1])


class _FromBuffer(_Function):
    def __call__(self, *arguments: Any) -> Array:
        content, dtype, shape, order = arguments
        made = Array()
        made.fill(content, dtype, shape, order)
        return made


class _Encode(_Function):
    def __call__(self, *arguments: Any) -> bytes:
        text, codec = arguments
        if type(text) is not str or codec not in ("latin1", "latin-1", b"latin1"):
            raise pickle.UnpicklingError("calls codecs.encode for other than bytes")
        return text.encode("latin-1")


_FUNCTIONS = {
    "ndarray": _Function(),
    "_reconstruct": _Reconstruct(),
    "dtype": _MakeDtype(),
    "_frombuffer": _FromBuffer(),
}


class _Interpreter(pickle._Unpickler):
    dispatch: ClassVar = {
        code: step for code, step in pickle._Unpickler.dispatch.items() if bytes([code]) not in _LEFT_OUT
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _Encode()
        if module not in _MODULES or name not in _FUNCTIONS:
            asked = f"{module}.{name}"[:_CALLED]
            raise pickle.UnpicklingError(f"asks for {asked}, which no data set needs")
        return _FUNCTIONS[name]
