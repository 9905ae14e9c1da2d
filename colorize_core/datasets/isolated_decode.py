"""Decodes the images of a chunk in this process, or in a child process after a crash.

A decoder may crash its process or use all memory. A chunk that ended its process is read again with each image decoded
in a child process: a crash then ends the child alone. An image over which two processes died is rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from colorize_core.datasets.rows import Pixels
from colorize_core.errors import DEADLY, MOST_DEATHS, ImageError
from colorize_core.images import decode
from colorize_core.runtime.local import Pool

_SPARE = 0.08  # fraction of memory that stays free: the child is ended before Ray ends the process of the chunk
_pool: ContextVar[Pool | None] = ContextVar("pool", default=None)


@contextmanager
def after_deaths(deaths: int) -> Iterator[None]:
    """Decodes in a child process within the block if processes have died over the chunk before.

    Args:
        deaths: how many processes died over the chunk.
    """
    if not deaths:
        yield
        return
    with Pool(spare=_SPARE) as pool:
        token = _pool.set(pool)
        try:
            yield
        finally:
            _pool.reset(token)


def read_rgb(content: bytes) -> Pixels:
    """Decodes an image as ``decode.read_rgb`` does. Raises ImageError, also if two processes died over the image."""
    return _decode(decode.read_rgb, content)


def read_gray(content: bytes) -> Pixels:
    """Decodes a gray photograph as ``decode.read_gray`` does. Raises ImageError as ``read_rgb``."""
    return _decode(decode.read_gray, content)


def _decode(read: Callable[[bytes], Pixels], content: bytes) -> Pixels:
    pool = _pool.get()
    if pool is None:
        return read(content)
    [pixels] = pool.run([(read.__name__, content)], _make_decoder)
    return pixels


def _make_decoder(threads: int) -> Callable[[tuple[str, bytes], int], Pixels]:
    def decode_task(task: tuple[str, bytes], deaths: int) -> Pixels:
        if deaths >= MOST_DEATHS:
            raise ImageError("internal", DEADLY)
        name, content = task
        pixels: Pixels = getattr(decode, name)(content)
        return pixels

    return decode_task
