"""The two stages before the merge: read a small gray, let the network say its ab.

Between the stages travel the compressed bytes of the file and a few kilobytes of pixels, never a decoded scan. A row
that fails carries ``reason`` and ``message`` on to the end.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from colorize_core.archiving.faults import CrashGuard, Outage, reason_of
from colorize_core.archiving.inputs import photographs
from colorize_core.color import Floats
from colorize_core.errors import DEADLY, ImageError, one_line
from colorize_core.images import decode, resizing
from colorize_core.inference.colorizer import Colorizer
from colorize_core.preprocessing.network_size import network_size
from colorize_core.recipes import Recipe

SMALL_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("fingerprint", pa.string()),
        ("output", pa.string()),
        ("task", pa.int64()),
        ("page", pa.int32()),  # from 1 on
        ("frame", pa.int64()),  # where it is in the file; 0: the first image
        ("file", pa.large_binary()),  # with the first page alone
        ("content", pa.string()),  # SHA-256 of the file
        (
            "small",
            pa.binary(),
        ),  # pixels [small_height, small_width]: gray uint8, after the network ab float16; b"": in color
        ("small_width", pa.int32()),
        ("small_height", pa.int32()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("read", pa.float32()),  # seconds in that stage
        ("predict", pa.float32()),
    ]
)


NO_PAGE = {"page": 1, "frame": 0, "small": b"", "small_width": 0, "small_height": 0}


@dataclass(frozen=True)
class Read:
    """Stage 1: rows of ``plan.TASK_SCHEMA`` to rows of ``SMALL_SCHEMA``, one for each page of a photograph.

    Attributes:
        recipe: what the network is to see.
        recolor: also photographs that are in color already.
        output: where the run writes.
        run_id: of the run.
    """

    recipe: Recipe
    recolor: bool
    output: str
    run_id: str

    def __call__(self, task: pa.Table, deaths: int = 0) -> pa.Table:
        """Reads one task, over which so many processes have died before."""
        cv2.setNumThreads(1)  # a task has one CPU; the others belong to its neighbors
        rows = []
        outage = Outage()
        guard = CrashGuard(self.output, f"{self.run_id}-{task['task'][0].as_py():08d}-read", deaths)
        for row in task.to_pylist():
            started = time.perf_counter()
            row |= {"file": b"", "content": "", "reason": "", "message": "", "read": 0.0, "predict": 0.0}
            pages = [NO_PAGE]
            try:
                if guard.is_deadly(row["source"]):
                    raise ImageError("internal", DEADLY)
                with outage.watched(os.fsdecode(row["path"])):
                    row["file"] = photographs.read(row)
                row["content"] = hashlib.sha256(row["file"]).hexdigest()
                pages = pages_of(row["file"], self.recipe, self.recolor)
            except ImageError as error:
                row |= {"file": b"", "reason": error.reason, "message": error.message}
            except OSError as error:
                row |= {"reason": reason_of(error), "message": f"cannot be read: {one_line(error)}"}
            except Exception as error:  # one photograph must not take the others with it
                row |= {"file": b"", "reason": "internal", "message": one_line(error)}
            row["read"] = time.perf_counter() - started
            rows += [row | pages[0], *(row | page | {"file": b"", "read": 0.0} for page in pages[1:])]
        guard.close()
        return pa.Table.from_pylist(rows, SMALL_SCHEMA)


def pages_of(file: bytes, recipe: Recipe, recolor: bool) -> list[dict[str, Any]]:
    """What the network is to see of each page; nothing of those that are in color. Raises ImageError where all are."""
    frames = decode.frames(file)
    pages = []
    for number, frame in enumerate(frames, 1):
        page = NO_PAGE | {"page": number, "frame": frame}
        try:
            small = decode.read_small(file, recipe.data.inference_side, frame)
        except ImageError as error:
            where = f"page {number} of {len(frames)}: " if len(frames) > 1 else ""
            raise ImageError(error.reason, where + error.message) from error
        if recolor or not small.in_color:
            width, height = network_size(recipe, *small.size)
            pixels = resizing.resize(small.gray, (width, height)).tobytes()
            page |= {"small": pixels, "small_width": width, "small_height": height}
        pages.append(page)
    if not any(page["small"] for page in pages):
        raise ImageError("in_color", "is in color already: --recolor gives it new colors")
    return pages


def predict(batch: pa.Table, colorizers: Sequence[Colorizer]) -> pa.Table:
    """Stage 2, with the one network: ``small`` from gray to ab. Rows without ``small`` pass untouched."""
    [colorizer] = colorizers
    changed = ["small", "small_width", "small_height", "predict"]  # the files beside them are not copied
    rows = batch.select(changed).to_pylist()
    readable = [row for row in rows if row["small"]]
    grays = [np.frombuffer(row["small"], np.uint8).reshape(row["small_height"], row["small_width"]) for row in readable]
    started = time.perf_counter()
    predictions = colorizer.predict(grays)
    share = (time.perf_counter() - started) / max(1, len(readable))
    for row, ab in zip(readable, predictions, strict=True):
        row["small_height"], row["small_width"] = ab.shape[:2]
        row["small"] = ab.astype(np.float16).tobytes()
        row["predict"] = share
    made = pa.Table.from_pylist(rows, pa.schema([SMALL_SCHEMA.field(name) for name in changed]))
    for name in changed:
        batch = batch.set_column(batch.schema.get_field_index(name), name, made[name])
    return batch


def chroma_of(row: dict[str, Any]) -> Floats | None:
    """ab float32 [h, w, 2] of a row that went through the network; None of one that keeps its colors."""
    if not row["small"]:
        return None
    flat = np.frombuffer(row["small"], np.float16).astype(np.float32)
    return flat.reshape(row["small_height"], row["small_width"], 2)
