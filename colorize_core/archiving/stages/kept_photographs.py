"""Decoded photographs of a task that one process keeps from the stage ``read`` to the stage ``finish``."""

from __future__ import annotations

from colorize_core.images.decode import Photograph

_MOST_BYTES = 128 << 20  # of decoded pixels; photographs beyond are decoded again


class KeptPhotographs:
    """Decoded photographs by the SHA-256 of their file and their frame, up to 128 MiB. Each is taken once."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], Photograph] = {}
        self._bytes = 0

    def put(self, content: str, frame: int, photograph: Photograph) -> None:
        """Keeps a photograph, if there is room for it."""
        if (content, frame) not in self._kept and self._bytes + photograph.bytes <= _MOST_BYTES:
            self._kept[content, frame] = photograph
            self._bytes += photograph.bytes

    def take(self, content: str, frame: int) -> Photograph | None:
        """Returns a photograph and forgets it; None if it was not kept."""
        photograph = self._kept.pop((content, frame), None)
        self._bytes -= photograph.bytes if photograph else 0
        return photograph
