"""Where results go: a file per photograph that mirrors the source tree, or Parquet or tar shards."""

from __future__ import annotations

import io
import json
import posixpath
import re
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from colorize_core import storage
from colorize_core.archiving import faults
from colorize_core.archiving.planning import names
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.errors import ImageError
from colorize_core.images.encode import Content, Encoded
from colorize_core.images.metadata.provenance import DIGITAL_SOURCE_TYPE, is_ours, made_by_machine
from colorize_core.storage import parquet


@dataclass(frozen=True)
class _Packed(Encoded):
    """One in memory, as a shard takes it."""

    content: bytes


_Photograph = tuple[LedgerRow, dict[int, _Packed]]  # and its pages, none where it failed

_SHARD_NAME = re.compile(r"part-\d{8}T\d{6}Z-[0-9a-f]{6}-\d{8}-\d+\.(parquet|tar)")  # of no other program
_FACTS = ("source", "bundle", "settings", "fingerprint", "run_id")  # of a row, beside an image in a tar file
_SHARD_BYTES = 256 << 20  # of images; a shard of larger ones is closed early, to bound memory
SHARD_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("page", pa.int32()),  # from 1 on; null where the photograph failed
        ("image", pa.large_binary()),  # a PNG file; null where the photograph failed
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("model", pa.string()),  # its name
        ("bundle", pa.string()),  # its digest
        ("settings", pa.string()),
        ("digital_source_type", pa.string()),  # IPTC's term; null where the page has its own colors, or failed
        ("seconds", pa.float32()),
        ("fingerprint", pa.string()),
        ("run_id", pa.string()),
        ("finished_at", pa.timestamp("ms", "UTC")),  # of rows with one source the last one counts
    ]
)


class Sink(Protocol):
    """Takes the finished rows of a task; a row is in the ledger only after its image is where readers find it.

    All that a task writes has names that follow from the task: done again, as Ray does when a process dies, it writes
    the same files.
    """

    def add_page(self, number: int, made: Encoded) -> None:
        """Takes page 2, 3 … of the photograph that is added next."""

    def add(self, row: LedgerRow, content: Content) -> None:
        """Takes one row and its image; b'' for a failed one, whose pages are dropped. Raises ImageError, OSError."""

    def close(self) -> None:
        """Writes what is still held. Raises OSError."""


class FileSink:
    """A file per photograph.

    Args:
        output: where to.
        name: of the task, among all that ever wrote here.
        fence: asked before anything gets into the ledger.
    """

    def __init__(self, output: str, name: str, fence: Callable[[], None]) -> None:
        self._output, self._name, self._fence = output, name, fence
        self._rows: list[LedgerRow] = []
        self._pages: dict[int, Encoded] = {}

    def add_page(self, number: int, made: Encoded) -> None:
        """Holds it until its photograph comes."""
        self._pages[number] = made

    def add(self, row: LedgerRow, content: Content) -> None:
        """Writes the image at ``row.output``, and pages as ``names.of_page`` calls them, each whole or not at all."""
        pages, self._pages = self._pages, {}
        if content:
            for number, page in pages.items():
                self._write(names.of_page(row.output, number), page.content)
            if self._write(row.output, content):
                self._remove_pages(row)
        self._rows.append(row)

    def _remove_pages(self, row: LedgerRow) -> None:
        """Of a photograph that had more pages when it was colorized before."""
        number = row.pages + 1
        while storage.exists(path := storage.join(self._output, names.of_page(row.output, number))):
            if _is_ours(path):
                storage.remove_if_there(path)
            number += 1

    def _write(self, name: str, content: Content) -> bool:
        """Whether there was one of this name."""
        path = storage.join(self._output, name)
        existed = storage.exists(path)
        if existed and not _is_ours(path) and storage.read(path) != bytes(content):
            raise ImageError("taken", f"OUTPUT has a file {name} that colorize did not make: move it away")
        storage.write(path, content, _temp_dir(self._output))
        return existed

    def close(self) -> None:
        """Appends the rows to the ledger."""
        self._fence()
        ledger.append(self._output, self._name, self._rows)


class ShardSink(ABC):
    """Shards that carry many images; the ledger says in which a photograph is.

    Args:
        output: where to.
        name: of the task, among all that ever wrote here.
        fence: asked before anything gets into the ledger.
        model: its name.
    """

    suffix: ClassVar[str]

    def __init__(self, output: str, name: str, fence: Callable[[], None], model: str) -> None:
        self._output, self._name, self._fence, self._model = output, name, fence, model
        self._rows: list[_Photograph] = []
        self._pages: dict[int, Encoded] = {}
        self._bytes = 0
        self._shards = 0

    def add_page(self, number: int, made: Encoded) -> None:
        """Holds it until its photograph comes."""
        self._pages[number] = made

    def add(self, row: LedgerRow, content: Content) -> None:
        """Holds the row until its shard is full; all pages of a photograph are in one."""
        made = {1: Encoded(content, row.width, row.height), **self._pages} if content else {}
        pages = {number: _Packed(bytes(page.content), page.width, page.height) for number, page in made.items()}
        self._pages = {}
        size = sum(len(page.content) for page in pages.values())
        if self._rows and self._bytes + size > _SHARD_BYTES:
            self._write()
        self._rows.append((row, pages))
        self._bytes += size

    def close(self) -> None:
        """Writes the last shard and its rows."""
        if self._rows:
            self._write()

    def _write(self) -> None:
        name = f"{self._name}-{self._shards}"
        shard = f"part-{name}{self.suffix}"
        self._fence()
        storage.write(storage.join(self._output, shard), self._packed(self._rows), _temp_dir(self._output))
        ledger.append(self._output, name, [replace(row, output=self._place(row, shard)) for row, _ in self._rows])
        self._rows, self._bytes, self._shards = [], 0, self._shards + 1

    def _place(self, row: LedgerRow, shard: str) -> str:
        """The shard that has this row."""
        return shard

    def _origin(self, page: _Packed) -> dict[str, str | None]:
        """What its XMP packet says, for readers who look at the facts alone."""
        made = made_by_machine(page.content)
        return {"model": self._model, "digital_source_type": DIGITAL_SOURCE_TYPE if made else None}

    @abstractmethod
    def _packed(self, rows: Sequence[_Photograph]) -> bytes:
        """The shard as a file."""


class ParquetSink(ShardSink):
    """A row of ``SHARD_SCHEMA`` per page, and one per photograph that failed or was skipped."""

    suffix = ".parquet"

    def _packed(self, rows: Sequence[_Photograph]) -> bytes:
        made = [each for row, pages in rows for each in self._page_rows(row, pages)]
        return parquet.to_parquet(pa.Table.from_pylist(made, SHARD_SCHEMA))

    def _page_rows(self, row: LedgerRow, pages: dict[int, _Packed]) -> list[dict[str, Any]]:
        facts = {name: value for name, value in vars(row).items() if name in SHARD_SCHEMA.names}
        facts |= {"format": "png", "model": self._model}
        made = [
            {"page": number, "image": page.content, "width": page.width, "height": page.height, **self._origin(page)}
            for number, page in pages.items()
        ]
        return [facts | page for page in made or [{"page": None, "image": None}]]


class TarSink(ShardSink):
    """A WebDataset: an image and a JSON file of facts per page, under one key; those that failed are not in it.

    The key is the photograph's name, in which dots are ``%2E``, since the key ends at the first one.
    """

    suffix = ".tar"

    def _place(self, row: LedgerRow, shard: str) -> str:
        return shard if row.status == "ok" else ""

    def _packed(self, rows: Sequence[_Photograph]) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for row, pages in rows:
                for number, made in pages.items():
                    stem, suffix = posixpath.splitext(names.of_page(row.output, number))
                    key = stem.replace("%", "%25").replace(".", "%2E")
                    facts = {name: getattr(row, name) for name in _FACTS}
                    facts |= {"page": number, "width": made.width, "height": made.height, **self._origin(made)}
                    described = json.dumps(facts, ensure_ascii=False).encode()
                    for end, member in ((suffix, made.content), (".json", described)):
                        info = tarfile.TarInfo(key + end)
                        info.size, info.mtime = len(member), int(row.finished_at.timestamp())
                        tar.addfile(info, io.BytesIO(member))
        return buffer.getvalue()


def sweep(output: str) -> None:
    """Removes shards that a killed run wrote without getting to their ledger rows: their images come again."""
    shards = {entry.name: entry.path for entry in storage.children(output) if _SHARD_NAME.fullmatch(entry.name)}
    for table in ledger.scan(output, ["output"]) if shards else ():
        for name in pc.unique(table["output"]).to_pylist():
            shards.pop(name, None)
    for path in shards.values():
        storage.remove(path)


def _is_ours(path: str) -> bool:
    with storage.open_file(path) as file:
        return is_ours(file)


def _temp_dir(output: str) -> str:
    return storage.join(output, faults.FOLDER)
