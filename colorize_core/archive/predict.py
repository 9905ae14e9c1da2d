"""The two stages before the merge: read a small gray, let the network say its ab.

Between the stages travel the compressed bytes of the file and a few kilobytes of pixels, never a decoded scan. A row
that fails carries ``reason`` and ``message`` on to the end.
"""

from __future__ import annotations

import os
import time
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from colorize_core import storage
from colorize_core.bundle import Bundle
from colorize_core.color import Floats
from colorize_core.errors import BundleError, ImageError, one_line
from colorize_core.images import decode, square
from colorize_core.inference import Colorizer, network_size
from colorize_core.recipes import Recipe

SMALL_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("fingerprint", pa.string()),
        ("output", pa.string()),
        ("content", pa.large_binary()),
        ("small", pa.binary()),  # pixels [small_height, small_width]: gray uint8, after the network ab float16
        ("small_width", pa.int32()),
        ("small_height", pa.int32()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("seconds", pa.float32()),
    ]
)


def read_small(tasks: pa.Table, *, recipe: Recipe) -> pa.Table:
    """Stage 1: rows of ``plan.SCHEMA`` to rows of ``SMALL_SCHEMA``."""
    cv2.setNumThreads(1)  # a task has one CPU; the others belong to its neighbors
    rows = []
    for row in tasks.to_pylist():
        started = time.perf_counter()
        row |= {"content": b"", "small": b"", "small_width": 0, "small_height": 0, "reason": "", "message": ""}
        try:
            row["content"] = storage.read(os.fsdecode(row["path"]))
            gray, (width, height) = decode.read_small(row["content"], recipe.data.inference_side)
            size = network_size(recipe, width, height)
            row["small"] = square.resize(gray, size).tobytes()
            row["small_width"], row["small_height"] = size
        except ImageError as error:
            row |= {"content": b"", "reason": error.reason, "message": error.message}
        except OSError as error:
            row |= {"reason": "storage", "message": f"cannot be read: {one_line(error)}"}
        except Exception as error:  # one photograph must not take the others with it
            row |= {"content": b"", "reason": "internal", "message": one_line(error)}
        row["seconds"] = time.perf_counter() - started
        rows.append(row)
    return pa.Table.from_pylist(rows, SMALL_SCHEMA)


class Predictor:
    """Stage 2, an actor: ``small`` from gray to ab."""

    def __init__(self, bundle: Bundle, threads: int | None, saturation: float) -> None:
        self._failure: BundleError | None = None
        try:
            self._colorizer = Colorizer(bundle, threads, saturation)
        except BundleError as error:
            self._failure = error  # raised here, it would start the actor again and again

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Rows of ``SMALL_SCHEMA``; those with a reason pass untouched."""
        if self._failure:
            raise self._failure
        rows = batch.to_pylist()
        readable = [row for row in rows if not row["reason"]]
        grays = [
            np.frombuffer(row["small"], np.uint8).reshape(row["small_height"], row["small_width"]) for row in readable
        ]
        started = time.perf_counter()
        predictions = self._colorizer.predict(grays)
        share = (time.perf_counter() - started) / max(1, len(readable))
        for row, ab in zip(readable, predictions, strict=True):
            row["small_height"], row["small_width"] = ab.shape[:2]
            row["small"] = ab.astype(np.float16).tobytes()
            row["seconds"] += share
        return pa.Table.from_pylist(rows, SMALL_SCHEMA)


def chroma_of(row: dict[str, Any]) -> Floats:
    """ab float32 [h, w, 2] of a row that went through the network."""
    flat = np.frombuffer(row["small"], np.float16).astype(np.float32)
    return flat.reshape(row["small_height"], row["small_width"], 2)
