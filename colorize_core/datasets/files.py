"""Finds and reads photographs in folders, tar and zip files, for the data sets folder, celeba and paired."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from colorize_core import storage
from colorize_core.datasets import isolated_decode
from colorize_core.datasets.rows import BLACK, NO_LABEL, Chunk, Pixels, Reject, RowBatch
from colorize_core.datasets.splits import place_of
from colorize_core.errors import ImageError, one_line, printable
from colorize_core.images import decode
from colorize_core.storage import containers
from colorize_core.storage.containers import Member

_FILES_PER_CHUNK = 256
_BYTES_PER_CHUNK = 64 << 20
_ROWS_AT_ONCE = 16
_DECODED_AT_ONCE = 64 << 20  # bytes of pixels, after which a batch ends: a single large photograph may be one


@dataclass(frozen=True)
class Item:
    """A photograph to read.

    Attributes:
        id: unique in its data set; valid UTF-8.
        split: ``train``, ``val`` or ``test``.
        file: path of the file, or member of a container.
        size: bytes of the file.
        labels: one integer per label of the data set.
        gray: file of the gray photograph, in a data set that has its own; else None.
    """

    id: str
    split: str
    file: str | Member
    size: int
    labels: tuple[int, ...] = ()
    gray: str | Member | None = None


@dataclass(frozen=True)
class Found:
    """The photographs below a folder or in a container.

    Attributes:
        files: file and size in bytes, by name.
        rejects: files that must not be read.
    """

    files: dict[str, tuple[str | Member, int]]
    rejects: list[Reject]


def find_images(where: str) -> Found:
    """Finds the photographs in a container, or below a folder and in the containers there.

    A name is the path below ``where``. The name of a member begins with the path of its container.

    Raises:
        OSError: the folder cannot be listed.
        InputError: a container is damaged.
    """
    found = Found({}, [])
    if not storage.is_folder(where):
        _add_members(found, where, "")
        return found
    for entry in storage.find(where):
        name = printable(entry.name)
        if decode.is_image_name(entry.name):
            _add(found, name, entry.path, entry.size)
        elif containers.is_container_name(entry.name):
            _add_members(found, entry.path, name + "/")
        elif containers.is_packed_name(entry.name):
            found.rejects.append(Reject(name, "unsupported", containers.PACKED))
    return found


def _add_members(found: Found, path: str, prefix: str) -> None:
    for member in containers.list_members(path):
        if not decode.is_image_name(member.name.replace("\\", "/")):
            continue
        name = prefix + printable(member.name)
        if containers.leads_outside(member.name):
            found.rejects.append(Reject(name, "unsafe_name", "the name points outside of its archive"))
        else:
            _add(found, prefix + printable(posixpath.normpath(member.name)), member, member.size)


def _add(found: Found, name: str, file: str | Member, size: int) -> None:
    if name in found.files:
        found.rejects.append(Reject(name, "duplicate", "two files have the same name; the first is used"))
    else:
        found.files[name] = file, size


def chunks_of(items: Iterable[Item], label_names: Sequence[str] = ()) -> list[Chunk]:
    """Groups photographs into chunks of at most 256 files and 64 MiB, in a random order that is always the same.

    Ordered by name, the photographs of an album would follow each other. A shuffle buffer cannot mix thousands of
    photographs, so a network would learn one album and forget the one before.

    Args:
        items: the photographs.
        label_names: names of their labels, in the order of ``Item.labels``.
    """
    chunks: list[Chunk] = []
    part: list[Item] = []
    size = 0
    for item in sorted(items, key=lambda item: place_of(item.id)):
        if part and (len(part) == _FILES_PER_CHUNK or size + item.size > _BYTES_PER_CHUNK):
            chunks.append(partial(_read, part, tuple(label_names)))
            part, size = [], 0
        part.append(item)
        size += item.size
    return [*chunks, partial(_read, part, tuple(label_names))] if part else chunks


def _read(items: Sequence[Item], label_names: Sequence[str]) -> Iterator[RowBatch]:
    part: list[_Read] = []
    size = 0
    for item in items:
        part.append(_read_one(item))
        size += part[-1].rgb.nbytes
        if len(part) == _ROWS_AT_ONCE or size > _DECODED_AT_ONCE:
            yield _rows(part, label_names)
            part, size = [], 0
    if part:
        yield _rows(part, label_names)


class _Read(NamedTuple):
    item: Item
    rgb: Pixels
    gray: Pixels
    reason: str
    message: str


def _read_one(item: Item) -> _Read:
    try:
        rgb = isolated_decode.read_rgb(_content(item.file))
        gray = BLACK[..., 0] if item.gray is None else _gray_of(item.gray, rgb)
        return _Read(item, rgb, gray, "", "")
    except ImageError as error:
        return _Read(item, BLACK, BLACK[..., 0], error.reason, error.message)
    except OSError as error:
        return _Read(item, BLACK, BLACK[..., 0], "storage", f"cannot be read: {one_line(error)}")


def _rows(part: Sequence[_Read], label_names: Sequence[str]) -> RowBatch:
    return RowBatch(
        id=[read.item.id for read in part],
        split=[read.item.split for read in part],
        rgb=[read.rgb for read in part],
        reason=[read.reason for read in part],
        message=[read.message for read in part],
        labels={
            name: np.array([NO_LABEL if read.reason else read.item.labels[i] for read in part], np.int64)
            for i, name in enumerate(label_names)
        },
        gray=[read.gray for read in part] if part[0].item.gray is not None else None,
    )


def _gray_of(file: str | Member, rgb: Pixels) -> Pixels:
    gray = isolated_decode.read_gray(_content(file))
    if gray.shape != rgb.shape[:2]:
        sizes = " and ".join(f"{a.shape[1]}x{a.shape[0]}" for a in (gray, rgb))
        raise ImageError("mismatch", f"the gray and the color photograph have different sizes: {sizes}")
    return gray


def _content(file: str | Member) -> bytes:
    return containers.read_member(file) if isinstance(file, Member) else storage.read(file)
