"""Content that is too large for memory, kept in a temporary file until it is written to its destination."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator

_PIECE = 8 << 20  # bytes in memory at a time


class SpilledFile:
    """A temporary file without a name, in the folder ``TMPDIR``; it is deleted with this object.

    Attributes:
        file: the open file. Write the content into it once, then read it from this object.
    """

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile(prefix="colorize-")  # noqa: SIM115 - open as long as this object lives
        weakref.finalize(self, self.file.close)

    def __len__(self) -> int:
        return os.fstat(self.open()).st_size

    def __iter__(self) -> Iterator[bytes]:
        """Yields the content in pieces of at most 8 MiB."""
        descriptor, offset = self.open(), 0
        while piece := os.pread(descriptor, _PIECE, offset):
            yield piece
            offset += len(piece)

    def __bytes__(self) -> bytes:
        return b"".join(self)

    def open(self) -> int:
        """Writes buffered content to the file and returns its descriptor."""
        self.file.flush()
        return self.file.fileno()
