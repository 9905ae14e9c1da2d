"""One chunk of a data set to its shards: transformed, counted, written; its record comes last and proves it."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np

from colorize_core import storage
from colorize_core.datasets import prepared, statistics
from colorize_core.datasets.rows import Chunk, Reject, RowBatch
from colorize_core.datasets.statistics import ChannelSums
from colorize_core.images.resizing import Crop, to_square
from colorize_core.storage.parquet import ParquetBuffer

RECORDS = "_chunks"
NEAR_GRAY = "near_gray"
_SHARD_BYTES = 16 << 20  # a chunk of more fills several shards


@dataclass(frozen=True)
class Transform:
    """From an image as published to a stored square.

    Attributes:
        size: pixels on a side.
        crop: what becomes of an image that is no square.
        min_chroma: an image whose mean chroma, in units of ab, is lower is left out.
    """

    size: int
    crop: Crop = "center"
    min_chroma: float = 0.0


@dataclass(frozen=True)
class Record:
    """What one chunk gave.

    Attributes:
        images: stored, by split.
        rejects: not stored, why.
        sums: over the stored images of split ``train``.
        fingerprint: of all stored images.
        size: of the shards, in bytes.
    """

    chunk: int
    images: dict[str, int]
    rejects: list[Reject]
    sums: ChannelSums
    fingerprint: int
    size: int

    def to_json(self) -> str:
        """As stored."""
        return json.dumps(asdict(self) | {"rejects": [tuple(reject) for reject in self.rejects]})

    @classmethod
    def from_json(cls, text: str | bytes) -> Record:
        """What ``to_json`` made."""
        values = json.loads(text)
        sums = ChannelSums(values["sums"]["pixels"], *(tuple(values["sums"][name]) for name in ("sums", "squares")))
        return cls(**values | {"rejects": [Reject(*reject) for reject in values["rejects"]], "sums": sums})


def prepare_chunk(chunk: Chunk, number: int, transform: Transform, output: str) -> Record:
    """Reads a chunk, writes a shard for each of its splits, then its record. Done again, it writes the same bytes.

    Raises:
        InputError: the chunk as a whole cannot be read.
        OSError: the shards cannot be written.
    """
    cv2.setNumThreads(1)  # a task has one CPU; the others belong to its neighbors
    tally, size, written = _Tally(), 0, 0
    for rows in chunk():
        tally.add(rows, transform)
        if tally.size() > _SHARD_BYTES:
            size += tally.write(output, f"part-{number:05d}-{written:02d}.parquet")
            written += 1
    size += tally.write(output, f"part-{number:05d}-{written:02d}.parquet")
    record = Record(
        number,
        dict(tally.images),
        tally.rejects,
        tally.sums,
        statistics.add_fingerprints(tally.fingerprints),
        size,
    )
    content = record.to_json().encode()
    storage.write(storage.join(output, RECORDS, f"{number:05d}.json"), _digest(content) + b"\n" + content)
    return record


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def read_records(output: str) -> Iterator[Record]:
    """Of the chunks that are done, in their order. One that is damaged counts as none: its chunk is done again."""
    for entry in storage.children(storage.join(output, RECORDS)):
        if entry.name[0].isdigit():
            digest, _, content = storage.read(entry.path).partition(b"\n")
            if digest == _digest(content):
                yield Record.from_json(content)


@dataclass
class _Tally:
    """What is known of a chunk so far."""

    images: Counter[str] = field(default_factory=Counter)
    rejects: list[Reject] = field(default_factory=list)
    shards: dict[str, ParquetBuffer] = field(default_factory=dict)
    sums: ChannelSums = field(default_factory=ChannelSums.zero)
    fingerprints: list[int] = field(default_factory=list)

    def size(self) -> int:
        """Bytes of the shards that are begun."""
        return sum(shard.size for shard in self.shards.values())

    def write(self, output: str, name: str) -> int:
        """Writes what is held, a shard for each split, and lets go of it; gives the bytes written."""
        size = 0
        for split, shard in sorted(self.shards.items()):
            content = shard.close()
            storage.write(storage.join(output, split, name), content)
            size += len(content)
        self.shards = {}
        return size

    def add(self, rows: RowBatch, transform: Transform) -> None:
        """Transforms a batch of rows, counts it, and keeps its squares."""
        self.rejects += [Reject(*row) for row in zip(rows.id, rows.reason, rows.message, strict=True) if row[1]]
        squares = _squares(rows.where([not reason for reason in rows.reason]), transform)
        if not len(squares):
            return
        seen = statistics.sample(np.asarray(squares.rgb))
        lab = statistics.to_lab(seen)
        if transform.min_chroma:
            chroma = statistics.mean_chroma(lab)
            keep = chroma >= transform.min_chroma
            self.rejects += [
                Reject(squares.id[i], NEAR_GRAY, f"mean chroma {chroma[i]:.2f} is below {transform.min_chroma:g}")
                for i in np.flatnonzero(~keep).tolist()
            ]
            squares, seen, lab = squares.where(keep), seen[keep], lab[keep]
        learned = np.array([split == "train" for split in squares.split], bool)
        if learned.any():
            self.sums += ChannelSums.of(seen[learned], lab[learned])
        self.fingerprints.append(
            statistics.fingerprint(squares.id, [zlib.crc32(image.tobytes()) for image in squares.rgb])
        )
        for split in sorted(set(squares.split)):
            part = squares.where([each == split for each in squares.split])
            self.shards.setdefault(split, ParquetBuffer()).add(prepared.shard(part))
            self.images[split] += len(part)


def _squares(rows: RowBatch, transform: Transform) -> RowBatch:
    size, crop = transform.size, transform.crop
    if isinstance(rows.rgb, np.ndarray) and rows.rgb.shape[1:3] == (size, size):
        return rows
    rgb = np.array([to_square(image, size, crop) for image in rows.rgb], np.uint8)
    gray = None if rows.gray is None else [to_square(image, size, crop) for image in rows.gray]
    return RowBatch(rows.id, rows.split, rgb, rows.reason, rows.message, rows.labels, gray)


def facts(records: list[Record], missing: list[Reject]) -> dict[str, Any]:
    """What the records say together."""
    images: Counter[str] = Counter()
    for record in records:
        images.update(record.images)
    rejects = [*missing, *(reject for record in records for reject in record.rejects)]
    total = sum(images.values())
    size = sum(record.size for record in records)
    return {
        "images": dict(images),
        "rejected": dict(Counter(reject.reason for reject in rejects)),
        "bytes": size,
        "bytes_per_image": round(size / total, 1) if total else 0.0,
        "statistics": sum((record.sums for record in records), ChannelSums.zero()).summary(),
        "fingerprint": f"{statistics.add_fingerprints([record.fingerprint for record in records]):064x}",
    }
