"""Decodes the images of a chunk: as always, or each in a child process once a process has died over the chunk.

A decoder may crash, or take all memory. In a child that ends the child alone, and the image over which two have died
is left out; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from colorize_core.datasets.rows import Pixels
from colorize_core.errors import DEADLY, MOST_DEATHS, ImageError
from colorize_core.images import decode
from colorize_core.runtime.local import Pool

_SPARE = 0.08  # part of the machine's memory that must stay free: before Ray ends the process of the chunk
_pool: ContextVar[Pool | None] = ContextVar("pool", default=None)
Content = TypeVar("Content")


@contextmanager
def after(deaths: int) -> Iterator[None]:
    """Reads a chunk in the block, over which so many processes have died before."""
    if not deaths:
        yield
        return
    with Pool(spare=_SPARE) as pool:
        before = _pool.set(pool)
        try:
            yield
        finally:
            _pool.reset(before)


def read_rgb(content: bytes) -> Pixels:
    """Decodes an image: ``decode.read_rgb``. Raises ImageError also where two processes have died over it."""
    return _decoded(decode.read_rgb, content)


def read_gray(content: bytes) -> Pixels:
    """Decodes a gray photograph: ``decode.read_gray``. Raises ImageError as ``read_rgb``."""
    return _decoded(decode.read_gray, content)


def _decoded(read: Callable[[bytes], Pixels], content: bytes) -> Pixels:
    pool = _pool.get()
    if pool is None:
        return read(content)
    [pixels] = pool.run([(read.__name__, content)], _decoder)
    return pixels


def _decoder(threads: int) -> Callable[[tuple[str, bytes], int], Pixels]:
    def work(task: tuple[str, bytes], deaths: int) -> Pixels:
        if deaths >= MOST_DEATHS:
            raise ImageError("internal", DEADLY)
        name, content = task
        pixels: Pixels = getattr(decode, name)(content)
        return pixels

    return work
