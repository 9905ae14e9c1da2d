"""Base class of the sinks that write shards, files with many images each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from colorize_core import storage
from colorize_core.archiving.stages.sinks.sink import Destination
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.images.encode import Encoded
from colorize_core.images.metadata.provenance import DIGITAL_SOURCE_TYPE, made_by_machine

_SHARD_BYTES = 256 << 20  # bytes of images; a shard is closed before it holds more, to bound memory


@dataclass(frozen=True)
class ShardPage:
    """A page in a shard.

    Attributes:
        number: number of the page, from 1 on.
        content: the image file.
        width: width of the image, in pixels.
        height: height of the image, in pixels.
    """

    number: int
    content: bytes
    width: int
    height: int

    @property
    def digital_source_type(self) -> str | None:
        """IPTC's term for an image that a machine colored, as its XMP packet has it; None if it keeps its colors."""
        return DIGITAL_SOURCE_TYPE if made_by_machine(self.content) else None


@dataclass(frozen=True)
class ShardPhotograph:
    """A photograph in a shard. It has no pages if it failed or was skipped."""

    row: LedgerRow
    pages: Sequence[ShardPage]


class ShardSink(ABC):
    """Collects photographs and writes them in shards; the ledger says which shard holds a photograph.

    A subclass packs the photographs of a shard into a file of its format.
    """

    suffix: ClassVar[str]

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._photographs: list[ShardPhotograph] = []
        self._bytes = 0
        self._shards = 0

    def add(self, row: LedgerRow, pages: Sequence[Encoded]) -> None:
        """Holds a photograph until its shard is full; all of its pages are in one shard. Raises OSError."""
        held = [ShardPage(number, bytes(page.content), page.width, page.height) for number, page in enumerate(pages, 1)]
        size = sum(len(page.content) for page in held)
        if self._photographs and self._bytes + size > _SHARD_BYTES:
            self._write()
        self._photographs.append(ShardPhotograph(row, held))
        self._bytes += size

    def close(self) -> None:
        """Writes the last shard and its rows. Raises OSError."""
        if self._photographs:
            self._write()

    def _write(self) -> None:
        to = self._destination
        name = f"{to.task}-{self._shards}"
        shard = f"part-{name}{self.suffix}"
        to.check_lock()
        storage.write(storage.join(to.output, shard), self.packed(self._photographs), to.temp_dir)
        rows = [replace(each.row, output=self.place(each.row, shard)) for each in self._photographs]
        ledger.append(to.output, name, rows)
        self._photographs, self._bytes, self._shards = [], 0, self._shards + 1

    def place(self, row: LedgerRow, shard: str) -> str:
        """Returns the name of the shard that has this row; '' if no shard has it."""
        return shard

    @abstractmethod
    def packed(self, photographs: Sequence[ShardPhotograph]) -> bytes:
        """Returns a shard as a file."""
