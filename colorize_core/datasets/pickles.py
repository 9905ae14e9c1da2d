"""Loads pickles from untrusted sources: plain values and integer arrays only, without running code.

``pickle.load`` runs any function that a file names, and a file can give a NumPy object a state that reads arbitrary
memory. Here, a file reaches neither. The pickle interpreter is Python's own (the C version allocates memory that a few
bytes claim), reduced to the instructions that build values. It fills stand-in objects, which check their content, and
arrays are made from the checked bytes at the end.
"""

from __future__ import annotations

import math
import pickle
from typing import IO, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

_SHOWN = 60  # characters of a name in a message
_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric", "numpy")
_NAMES = tuple(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8))
_LEFT_OUT = (
    *(pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.INST, pickle.OBJ),
    *(pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
)


def load(file: IO[bytes]) -> Any:
    """Loads the value in a pickle. An array is an ``Array``; a string of Python 2 is bytes.

    Raises:
        pickle.UnpicklingError: the pickle needs more than plain values and integer arrays.
        Exception: the pickle is damaged; Python's pickle interpreter raises many kinds.
    """
    try:
        return _Interpreter(file, encoding="bytes").load()
    except KeyError as error:  # an instruction that is not in the table
        raise pickle.UnpicklingError("has an instruction that no data set needs") from error


class Array:
    """A stand-in for an integer array; ``values`` is the checked array."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: NDArray[Any] = np.empty(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        if type(state) is not tuple or len(state) != 5 or state[0] != 1:
            raise pickle.UnpicklingError("has an array in an unknown form")
        _, shape, dtype, by_column, content = state
        self.fill(content, dtype, shape, "F" if by_column is True or by_column == 1 else "C")

    def fill(self, content: Any, dtype: Any, shape: Any, order: Any) -> None:
        """Sets the values from bytes. Raises UnpicklingError if dtype, shape and number of bytes do not fit."""
        if type(dtype) is not _Dtype or type(content) not in (bytes, bytearray) or order not in ("C", "F"):
            raise pickle.UnpicklingError("has an array that is not bytes of whole numbers")
        sizes_fit = type(shape) is tuple and len(shape) <= 4 and all(type(n) is int and n >= 0 for n in shape)
        if not sizes_fit or math.prod(shape) * dtype.numpy.itemsize != len(content):
            raise pickle.UnpicklingError("has an array of another shape than its bytes")
        self.values = np.frombuffer(content, dtype.numpy).reshape(shape, order=order)


class _Dtype:
    """A stand-in for an integer dtype."""

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
    """A stand-in, without attributes that a pickle could set, for a function that a pickle may call."""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> Any:
        raise pickle.UnpicklingError("calls numpy.ndarray, which no data set needs")


class _Reconstruct(_Function):
    def __call__(self, *arguments: Any) -> Array:
        return Array()  # the arguments do not matter: the state that fills the array is checked


class _MakeDtype(_Function):
    def __call__(self, *arguments: Any) -> _Dtype:
        return _Dtype(*arguments[:1])


class _FromBuffer(_Function):
    def __call__(self, *arguments: Any) -> Array:
        content, dtype, shape, order = arguments
        array = Array()
        array.fill(content, dtype, shape, order)
        return array


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
            asked = f"{module}.{name}"[:_SHOWN]
            raise pickle.UnpicklingError(f"asks for {asked}, which no data set needs")
        return _FUNCTIONS[name]
