"""Any tree of photographs."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from colorize_core import storage
from colorize_core.datasets.splits import place_of, split_of
from colorize_core.errors import ImageError, InputError
from colorize_core.images import decode

if TYPE_CHECKING:
    import ray.data

_VAL, _TEST = 0.05, 0.05  # fractions of a folder held back
_FILES_PER_TASK = 64


def read_folder(source: str, splits: Collection[str]) -> ray.data.Dataset:
    """Photographs below ``source`` (recursive); id is the path below it, split a hash of the id (90/5/5 %)."""
    import ray.data

    if not storage.is_folder(source):
        raise InputError(f"no folder of photographs at {source}: check the path")
    found = [
        {"id": entry.name, "path": entry.path, "split": split_of(entry.name, val=_VAL, test=_TEST)}
        for entry in storage.find(storage.absolute(source))
        if decode.is_image_name(entry.name)
    ]
    # Shuffled, and the same every time. By name, the pictures of one album would come together: a buffer does not mix
    # thousands of them, and the network would learn each album anew and forget the last.
    rows = sorted((row for row in found if row["split"] in splits), key=lambda row: place_of(row["id"]))
    if not rows:
        wanted = ", ".join(splits)
        raise InputError(
            f"{len(found)} photographs below {source}, and none falls into split {wanted}: need some hundred, "
            f"as {decode.SUFFIX_LIST}"
        )
    blocks = -(-len(rows) // _FILES_PER_TASK)
    return ray.data.from_items(rows, override_num_blocks=blocks).map_batches(_decode, batch_size=16)


def _decode(batch: dict[str, Any]) -> dict[str, Any]:
    rgb = np.empty(len(batch["path"]), object)  # photographs differ in size: an array of arrays
    reasons = []
    for i, path in enumerate(batch["path"]):
        try:
            rgb[i] = decode.read_rgb(storage.read(path))
            reasons.append("")
        except (ImageError, OSError) as error:
            rgb[i] = np.zeros((0, 0, 3), np.uint8)
            reasons.append(f"{path}: {error}")
    return {"id": batch["id"], "split": batch["split"], "rgb": rgb, "reason": np.array(reasons, object)}
