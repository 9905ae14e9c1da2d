"""Content that waits on this machine's disk until it is written where it belongs."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator

_PIECE = 8 << 20  # bytes that are in memory at a time


class SpilledFile:
    """A file that is too large for memory: without a name, where ``TMPDIR`` says, and gone with this object.

    Attributes:
        file: to write the content into, once.
    """

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile(prefix="colorize-")  # noqa: SIM115 - it lives as long as this
        weakref.finalize(self, self.file.close)

    def __len__(self) -> int:
        return os.fstat(self.open()).st_size

    def __iter__(self) -> Iterator[bytes]:
        """All of it, piece by piece."""
        descriptor, at = self.open(), 0
        while piece := os.pread(descriptor, _PIECE, at):
            yield piece
            at += len(piece)

    def __bytes__(self) -> bytes:
        return b"".join(self)

    def open(self) -> int:
        """Its descriptor, with all that was written on the disk."""
        self.file.flush()
        return self.file.fileno()
