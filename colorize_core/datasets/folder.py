"""Reads photographs from a folder with subfolders, or from a tar or zip file."""

from __future__ import annotations

from colorize_core import storage
from colorize_core.datasets import files
from colorize_core.datasets.rows import ReadPlan
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError
from colorize_core.images import decode
from colorize_core.storage import containers


def plan_folder(source: str, rule: SplitRule) -> ReadPlan:
    """Lists the photographs below a folder, or in a tar or zip file. The id of an image is its path below ``source``.

    Raises:
        InputError: the source does not exist, or has no photograph of the wanted splits.
    """
    where = storage.absolute(source)
    is_container = where.lower().endswith((*containers.TAR_SUFFIXES, *containers.PACKED_TAR_SUFFIXES, ".zip"))
    if not storage.is_folder(where) and not (is_container and storage.exists(where)):
        raise InputError(f"no folder, .tar or .zip file at {source}: check the path")
    found = files.find_images(where)
    items = [
        files.Item(name, split, file, size)
        for name, (file, size) in found.files.items()
        if (split := rule.of(name)) in rule.wanted
    ]
    if not items:
        wanted = ", ".join(rule.wanted)
        raise InputError(
            f"{len(found.files)} photographs below {source}, but none of them is in split {wanted}: a few hundred "
            f"files are needed, with the suffixes {decode.SUFFIX_LIST}"
        )
    return ReadPlan(files.chunks_of(items), found.rejects)
