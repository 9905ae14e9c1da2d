"""Converts one chunk of a data set to shards. The chunk's record, written last, proves that the chunk is complete."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import cv2
import numpy as np

from colorize_core import storage
from colorize_core.datasets import prepared, statistics
from colorize_core.datasets.prepared_facts import StoredFacts
from colorize_core.datasets.rows import Chunk, Reject, RowBatch
from colorize_core.datasets.statistics import ChannelSums
from colorize_core.images.resizing import Crop, to_square
from colorize_core.storage.parquet import ParquetBuffer

RECORDS = "_chunks"
NEAR_GRAY = "near_gray"
_SHARD_BYTES = 16 << 20  # a larger chunk fills several shards


@dataclass(frozen=True)
class Transform:
    """The settings by which an image is converted to a stored square image.

    Attributes:
        size: pixels per side.
        crop: how an image becomes square: 'center' cuts, 'pad' adds black borders, 'none' squeezes.
        min_chroma: smallest mean chroma of an image, in units of ab; images below are rejected as nearly gray.

    Example:
        >>> Transform(size=128, crop="pad")
        Transform(size=128, crop='pad', min_chroma=0.0)
    """

    size: int
    crop: Crop = "center"
    min_chroma: float = 0.0


@dataclass(frozen=True)
class Record:
    """The result of one chunk.

    Attributes:
        chunk: number of the chunk.
        images: number of stored images by split.
        rejects: images that were not stored.
        sums: sums over the stored images of split ``train``.
        fingerprint: fingerprint of all stored images.
        size: bytes of the shards.
    """

    chunk: int
    images: dict[str, int]
    rejects: list[Reject]
    sums: ChannelSums
    fingerprint: int
    size: int

    def to_json(self) -> str:
        """Converts the record to JSON."""
        return json.dumps(asdict(self) | {"rejects": [tuple(reject) for reject in self.rejects]})

    @classmethod
    def from_json(cls, text: str | bytes) -> Record:
        """Creates a record from the result of ``to_json``."""
        values = json.loads(text)
        sums = ChannelSums(values["sums"]["pixels"], *(tuple(values["sums"][name]) for name in ("sums", "squares")))
        return cls(**values | {"rejects": [Reject(*reject) for reject in values["rejects"]], "sums": sums})


def prepare_chunk(chunk: Chunk, number: int, transform: Transform, output: str) -> Record:
    """Reads a chunk, writes a shard for each of its splits, then its record. A repetition writes the same bytes.

    Args:
        chunk: the chunk to read.
        number: number of the chunk, which is part of the file names.
        transform: how to convert the images.
        output: folder of the prepared data set.

    Raises:
        InputError: the chunk as a whole cannot be read.
        OSError: the shards cannot be written.
    """
    cv2.setNumThreads(1)  # a task reserves one CPU
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
    """Yields the records of finished chunks in order. A damaged record is left out, so that its chunk runs again."""
    for entry in storage.children(storage.join(output, RECORDS)):
        if entry.name[0].isdigit():
            digest, _, content = storage.read(entry.path).partition(b"\n")
            if digest == _digest(content):
                yield Record.from_json(content)


@dataclass
class _Tally:
    """The counts and the open shards of a chunk while the chunk is read."""

    images: Counter[str] = field(default_factory=Counter)
    rejects: list[Reject] = field(default_factory=list)
    shards: dict[str, ParquetBuffer] = field(default_factory=dict)
    sums: ChannelSums = field(default_factory=ChannelSums.zero)
    fingerprints: list[int] = field(default_factory=list)

    def size(self) -> int:
        """Returns the bytes that the open shards hold."""
        return sum(shard.size for shard in self.shards.values())

    def write(self, output: str, name: str) -> int:
        """Writes a shard file for each split, starts new shards, and returns the number of bytes written."""
        size = 0
        for split, shard in sorted(self.shards.items()):
            content = shard.close()
            storage.write(storage.join(output, split, name), content)
            size += len(content)
        self.shards = {}
        return size

    def add(self, rows: RowBatch, transform: Transform) -> None:
        """Converts a batch of rows, counts it, and adds its square images to the shards."""
        self.rejects += [Reject(*row) for row in zip(rows.id, rows.reason, rows.message, strict=True) if row[1]]
        squares = _squares(rows.where([not reason for reason in rows.reason]), transform)
        if not len(squares):
            return
        pixels = statistics.sample(np.asarray(squares.rgb))
        lab = statistics.to_lab(pixels)
        if transform.min_chroma:
            chroma = statistics.mean_chroma(lab)
            keep = chroma >= transform.min_chroma
            self.rejects += [
                Reject(squares.id[i], NEAR_GRAY, f"mean chroma {chroma[i]:.2f} is below {transform.min_chroma:g}")
                for i in np.flatnonzero(~keep).tolist()
            ]
            squares, pixels, lab = squares.where(keep), pixels[keep], lab[keep]
        train = np.array([split == "train" for split in squares.split], bool)
        if train.any():
            self.sums += ChannelSums.of(pixels[train], lab[train])
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


def facts(records: list[Record], missing: list[Reject]) -> StoredFacts:
    """Returns the part of ``dataset.json`` that sums up the records.

    Args:
        records: records of all chunks.
        missing: images that were rejected before any chunk was read.
    """
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
