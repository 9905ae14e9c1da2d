"""Reads CelebA as published: https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html (Liu et al., 2015)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from colorize_core import storage
from colorize_core.datasets import files
from colorize_core.datasets.rows import COLUMNS, NO_LABEL, ReadPlan, Reject
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError, one_line
from colorize_core.storage.containers import Member

_PARTITION = "list_eval_partition.txt"
_SPLITS = {"0": "train", "1": "val", "2": "test"}
_IMAGES = ("img_align_celeba", "img_align_celeba.zip")
_FOLDERS = ("", "Eval", "Anno", "Img")  # the published archive has subfolders, most copies are flat
_TABLES = (
    "identity_CelebA.txt",
    "list_attr_celeba.txt",
    "list_bbox_celeba.txt",
    "list_landmarks_align_celeba.txt",
)


@dataclass(frozen=True)
class _Table:
    """A text file with one row of integers per image.

    Attributes:
        names: names of the columns.
        rows: values by file name of the image.
    """

    names: list[str]
    rows: dict[str, tuple[int, ...]]


def plan_celeba(source: str, rule: SplitRule) -> ReadPlan:
    """Lists the aligned faces in ``img_align_celeba/`` or ``.zip``; ``list_eval_partition.txt`` gives their splits.

    Identity, attributes, bounding boxes and landmarks become labels if their files exist. The id of an image is its
    file name. An image is rejected if it is in the partition file but missing, or not in the partition file.

    Raises:
        InputError: the images or the partition file are missing, or a table is damaged.
    """
    root = storage.absolute(source)
    partition = {}
    for name, values in _lines(_need(root, source, (_PARTITION,))):
        if len(values) != 1 or values[0] not in _SPLITS:
            raise InputError(f"{_PARTITION} in {source} has no split 0, 1 or 2 for {name[:60]!r}: fetch it again")
        if name in partition:
            raise InputError(f"{_PARTITION} in {source} names {name} twice: fetch it again")
        partition[name] = _SPLITS[values[0]]
    found = files.find_images(_need(root, source, _IMAGES))
    images: dict[str, tuple[str | Member, int]] = {}
    duplicates = []
    for place, file in found.files.items():
        if images.setdefault(place.rpartition("/")[2], file) is not file:
            duplicates.append(Reject(place, "duplicate", "a file of the same name in another folder is used"))
    tables = [_read_table(path) for table in _TABLES if (path := _find(root, (table,)))]
    unlabeled = [tuple([NO_LABEL] * len(table.names)) for table in tables]
    items = [
        files.Item(
            name,
            split,
            *images[name],
            labels=sum((t.rows.get(name, none) for t, none in zip(tables, unlabeled, strict=True)), ()),
        )
        for name, split in partition.items()
        if split in rule.wanted and name in images
    ]
    missing = [
        Reject(name, "missing", f"named in {_PARTITION}, but the image does not exist")
        for name, split in partition.items()
        if split in rule.wanted and name not in images
    ]
    if not items:
        splits = ", ".join(rule.wanted)
        raise InputError(f"none of the images that {_PARTITION} names for {splits} is in {source}: fetch it again")
    unlisted = [Reject(name, "unlisted", f"not named in {_PARTITION}") for name in images if name not in partition]
    names = [name for table in tables for name in table.names]
    return ReadPlan(files.chunks_of(items, names), [*found.rejects, *duplicates, *missing, *unlisted])


def _find(root: str, names: tuple[str, ...]) -> str | None:
    paths = (storage.join(root, folder, name) for name in names for folder in _FOLDERS)
    return next((path for path in paths if storage.exists(path)), None)


def _need(root: str, source: str, names: tuple[str, ...]) -> str:
    path = _find(root, names)
    if path is None:
        raise InputError(f"no {' or '.join(names)} in {source}: need CelebA as published, unpacked or not")
    return path


def _lines(path: str) -> Iterator[tuple[str, list[str]]]:
    """Yields the first word of each line and the list of its other words. Raises InputError."""
    try:
        text = storage.read(path).decode("ascii")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file of CelebA ({one_line(error)}): fetch it again") from error
    for number, line in enumerate(text.splitlines(), 1):
        if words := line.split():
            if len(words) == 1 and number > 1:
                raise InputError(f"{path}, line {number}: nothing follows {words[0][:60]!r}: fetch it again")
            yield words[0], words[1:]


def _read_table(path: str) -> _Table:
    """Reads a table, with or without the two header lines: number of rows, names of columns. Raises InputError."""
    name = path.rpartition("/")[2]
    lines = list(_lines(path))
    headed = len(lines) > 1 and not lines[0][1] and lines[0][0].isdecimal() and len(lines[0][0]) < 19
    count = int(lines.pop(0)[0]) if headed else None
    names = ["identity"]
    if count is not None:
        first, more = lines.pop(0)
        names = more if first == "image_id" else [first, *more]
        if "bbox" in name:
            names = [f"bbox_{column}" for column in names]
    if clash := sorted({name for name in names if name in COLUMNS or names.count(name) > 1}):
        raise InputError(f"{path} has columns named {', '.join(clash)}, which are reserved or doubled: fetch it again")
    try:
        rows = {image: tuple(array("q", map(int, values))) for image, values in lines}
    except (ValueError, OverflowError) as error:
        raise InputError(f"{path} is damaged ({one_line(error)}): fetch it again") from error
    wrong = next((image for image, values in rows.items() if len(values) != len(names)), None)
    if wrong is not None:
        raise InputError(f"{path}: {wrong} has {len(rows[wrong])} values, not {len(names)}: fetch it again")
    if count is not None and count != len(lines):
        raise InputError(f"{path} has {len(lines)} rows, but its header says {count}: fetch it again")
    return _Table(names, rows)
