"""Reads gray photographs with their color versions: two parallel folders, or NumPy files.

The NumPy form is that of the "Image Colorization" data set, 8-bit Lab as in OpenCV: ``gray_scale.npy`` uint8 [n, H, W]
holds L * 255 / 100. One or more ``ab*.npy`` uint8 [m, H, W, 2] hold a + 128 and b + 128; in the order of their numbers,
they have n images together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core import storage
from colorize_core.datasets import files
from colorize_core.datasets.rows import Chunk, ReadPlan, Reject, RowBatch
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError, one_line, printable

_GRAY = ("gray", "grey", "grayscale", "greyscale", "gray_scale", "black_and_white", "bw", "l")
_COLOR = ("color", "colour", "colored", "coloured", "rgb", "original")
_LIGHTNESS_FILE = "gray_scale.npy"
_AB_FILE = re.compile(r"ab(\d*)\.npy")
_BYTES_AT_ONCE = 16 << 20  # bytes of 8-bit Lab per batch
_CHUNK_BATCHES = 8


def plan_paired(source: str, rule: SplitRule) -> ReadPlan:
    """Lists pairs: files of the same name in two folders such as ``gray/`` and ``color/``, or rows of NumPy files.

    The id of a pair is the path below the two folders without suffix, or the number of the row. A photograph without a
    counterpart is rejected.

    Raises:
        InputError: the source has neither form, no pair, or NumPy files that do not fit together.
    """
    where = storage.absolute(source)
    if not storage.is_folder(where):
        raise InputError(
            f"no folder at {source}: need one with gray/ and color/, or with {_LIGHTNESS_FILE} and ab*.npy"
        )
    arrays = [entry for entry in storage.find(where) if entry.name.endswith(".npy")]
    if arrays:
        return ReadPlan(_array_chunks(arrays, source, rule))
    gray, color = _subfolder(where, _GRAY), _subfolder(where, _COLOR)
    if gray is None or color is None:
        raise InputError(
            f"{source} has no folder named {' or '.join(_GRAY[:2])} beside one named {' or '.join(_COLOR[:2])}, "
            f"and no {_LIGHTNESS_FILE}: check the path"
        )
    return _match(gray, color, source, rule)


def _subfolder(where: str, names: tuple[str, ...]) -> str | None:
    folders = {name.lower(): name for name in storage.folders(where)}
    return next((storage.join(where, folders[name]) for name in names if name in folders), None)


def _match(gray: str, color: str, source: str, rule: SplitRule) -> ReadPlan:
    trees = {"gray": files.find_images(gray), "color": files.find_images(color)}
    rejects = [r._replace(id=f"{tree}/{r.id}") for tree, found in trees.items() for r in found.rejects]
    stems: dict[str, dict[str, str]] = {"gray": {}, "color": {}}
    for tree, found in trees.items():
        for name in sorted(found.files):
            stem = name.rpartition(".")[0]
            if stem in stems[tree]:
                rejects.append(
                    Reject(f"{tree}/{name}", "duplicate", f"{stems[tree][stem]} has the same name and is used")
                )
            else:
                stems[tree][stem] = name
    for tree, other in (("gray", "color"), ("color", "gray")):
        for stem in sorted(stems[tree].keys() - stems[other].keys()):
            rejects.append(Reject(f"{tree}/{stems[tree][stem]}", "unpaired", f"no {other} photograph of this name"))
    items = []
    for stem in sorted(stems["gray"].keys() & stems["color"].keys()):
        if (split := rule.of(stem)) in rule.wanted:
            file, size = trees["color"].files[stems["color"][stem]]
            gray_file, gray_size = trees["gray"].files[stems["gray"][stem]]
            items.append(files.Item(stem, split, file, size + gray_size, gray=gray_file))
    if not items:
        raise InputError(
            f"{len(stems['gray'])} gray and {len(stems['color'])} color photographs in {source}, but no pair of the "
            "same name in the wanted splits: check the names"
        )
    return ReadPlan(files.chunks_of(items), rejects)


@dataclass(frozen=True)
class _Array:
    """A NumPy file of uint8 values in C order.

    Attributes:
        path: path of the file.
        shape: shape of the array.
        offset: bytes before the first value.
    """

    path: str
    shape: tuple[int, ...]
    offset: int

    def rows(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Reads rows [start, stop) and nothing else."""
        width = int(np.prod(self.shape[1:]))
        content = storage.read_range(self.path, self.offset + start * width, (stop - start) * width)
        return np.frombuffer(content, np.uint8).reshape(stop - start, *self.shape[1:])


def _array_chunks(entries: list[storage.Entry], source: str, rule: SplitRule) -> list[Chunk]:
    lightness = [e for e in entries if e.name.rpartition("/")[2] == _LIGHTNESS_FILE]
    numbered = [(m, e) for e in entries if (m := _AB_FILE.fullmatch(e.name.rpartition("/")[2]))]
    if len(lightness) != 1 or not numbered:
        raise InputError(f"{source} has .npy files, need one {_LIGHTNESS_FILE} and at least one ab*.npy")
    gray = _open_array(lightness[0])
    parts = [_open_array(e) for _, e in sorted(numbered, key=lambda pair: int(pair[0][1] or 0))]
    images = sum(math.prod(part.shape[:1]) for part in parts)
    wrong = any(part.shape[1:] != (*gray.shape[1:], 2) for part in parts)
    if len(gray.shape) != 3 or 0 in gray.shape or wrong or images != gray.shape[0]:
        shapes = ", ".join(str(array.shape) for array in (gray, *parts))
        raise InputError(
            f"{source}: {_LIGHTNESS_FILE} and ab*.npy of shapes {shapes} do not fit together: fetch them again"
        )
    at_once = max(1, _BYTES_AT_ONCE // int(np.prod(gray.shape[1:]) * 3))
    chunks: list[Chunk] = []
    first = 0
    for part in parts:
        for start in range(0, part.shape[0], at_once * _CHUNK_BATCHES):
            stop = min(part.shape[0], start + at_once * _CHUNK_BATCHES)
            chunks.append(partial(_read_arrays, gray, part, first, start, stop, at_once, rule))
        first += part.shape[0]
    return chunks


def _read_arrays(
    gray: _Array, ab: _Array, first: int, start: int, stop: int, at_once: int, rule: SplitRule
) -> Iterator[RowBatch]:
    """Yields rows [start, stop) of an ab file, whose row 0 belongs to row ``first`` of the gray file."""
    for at in range(start, stop, at_once):
        end = min(stop, at + at_once)
        lightness = gray.rows(first + at, first + end).astype(np.float32) * np.float32(100 / 255)
        chroma = ab.rows(at, end).astype(np.float32) - np.float32(128)
        lab = np.concatenate([lightness[..., None], chroma], axis=-1)
        rgb = [np.rint(255 * cv2.cvtColor(image, cv2.COLOR_LAB2RGB)).astype(np.uint8) for image in lab]
        ids = [f"{first + i:06d}" for i in range(at, end)]
        split = [rule.of(identity) for identity in ids]
        yield RowBatch.good(ids, split, np.stack(rgb)).where([name in rule.wanted for name in split])


def _open_array(entry: storage.Entry) -> _Array:
    path = printable(entry.path)
    try:
        with storage.open_file(entry.path) as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
            if dtype != np.uint8 or fortran:
                raise InputError(f"{path} holds {dtype}{' in Fortran order' if fortran else ''}: need uint8 in C order")
            needed = file.tell() + math.prod(shape)
            if entry.size < needed:
                raise InputError(f"{path} is cut off ({entry.size} of {needed} bytes): fetch it again")
            return _Array(entry.path, shape, file.tell())
    except InputError:
        raise
    except Exception as error:  # a damaged header raises many kinds of errors
        raise InputError(f"{path} is not a NumPy file ({one_line(error)}): fetch it again") from error
