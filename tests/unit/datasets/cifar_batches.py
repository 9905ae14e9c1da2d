"""Small batches of CIFAR."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

RGB: NDArray[np.uint8] = np.random.default_rng(5).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
ROWS: NDArray[np.uint8] = RGB.transpose(0, 3, 1, 2).reshape(3, 3072)  # as CIFAR has it: 1024 red, 1024 green, 1024 blue


def python2_batch(rows: NDArray[np.uint8]) -> bytes:
    """Returns a batch as Python 2 and NumPy 1 wrote it: protocol 2, byte strings, ``numpy.core.multiarray``."""
    pixels = rows.tobytes()
    return (
        b"\x80\x02}(U\x0bbatch_labelU\x15training batch 1 of 5U\x06labels](K\x06K\x09K\x09eU\x04data"
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01" + b"J" + struct.pack("<i", len(rows)) + b"M\x00\x0c\x86"
        b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + struct.pack("<i", len(pixels)) + pixels + b"tbu."
    )
