"""The ledger: an append-only record of every finished photograph, in Parquet files under ``OUTPUT/_ledger/``.

A task writes its rows after its images, so that a row proves its output. The files of tasks are small; at the end of a
run ``compact`` merges them.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from colorize_core import storage
from colorize_core.archiving import typed_rows
from colorize_core.archiving.typed_rows import Float32, Int32, Milliseconds, OptionalFloat32
from colorize_core.errors import InputError, OutputError, one_line
from colorize_core.storage import Entry, parquet

FOLDER = "_ledger"
Status = Literal["ok", "skipped", "failed"]
_IDENTITY = ("source", "fingerprint", "content", "bundle", "settings", "run_id", "seconds", "finished_at")
_NEW = ("doubt",)  # columns that older versions did not write
_SMALL = 2 << 20  # bytes of a file below which it is merged: about 30,000 rows
_FEW = 32  # number of small files that are not worth merging
_READERS = 16  # files that are read at the same time, since a store takes a while for each
_ROWS_AT_ONCE = 1 << 16
_MERGED = 256 << 20  # bytes in memory of one merged file: about 500,000 rows


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """The result of work on one photograph. The fields are the columns of the ledger, in their order.

    The defaults describe a photograph without a result.

    Attributes:
        source: the photograph's path or URL.
        fingerprint: size and time stamp of its file.
        content: SHA-256 of its file; '' if it could not be read.
        status: how it ended.
        reason: code of the reason, if the photograph or some of its pages were not colorized.
        message: the reason in words.
        output: path of the result, or of the shard that holds it, relative to OUTPUT; '' if there is none.
        width: width of the result's first page, in pixels.
        height: height of the result's first page, in pixels.
        pages: number of pages of the result.
        colorfulness: colorfulness of the result's first page, as Hasler and Süsstrunk define it.
        doubt: the error of ab to expect of its most doubtful page, in units of ab; None if the model has no doubt.
        bytes: size of the result, all pages together.
        bundle: digest of the model.
        settings: all that decides how a result looks, beside the model.
        run_id: identifies the run.
        pictures: name of the script that holds the photograph's thumbnails for the gallery; '' if there are none.
        seconds: work on the photograph in all stages.
        finished_at: when it ended; of several rows with one source the newest counts.
    """

    source: str
    fingerprint: str
    content: str = ""
    status: Status
    reason: str = ""
    message: str = ""
    output: str = ""
    width: Int32 = 0
    height: Int32 = 0
    pages: Int32 = 0
    colorfulness: Float32 = 0.0
    doubt: OptionalFloat32 = None
    bytes: int = 0
    bundle: str
    settings: str
    run_id: str
    pictures: str = ""
    seconds: Float32 = 0.0
    finished_at: Milliseconds

    def failed(self, reason: str, message: str) -> LedgerRow:
        """Returns the row of the same photograph after a failure, without a result."""
        return LedgerRow(status="failed", reason=reason, message=message, **self._identity())

    def with_result_of(self, original: LedgerRow) -> LedgerRow:
        """Returns the row of the same photograph with the result of another one."""
        return replace(original, **self._identity())

    def _identity(self) -> dict[str, Any]:
        """Returns the fields that name the photograph, the model and the run, by name."""
        return {name: getattr(self, name) for name in _IDENTITY}


SCHEMA = typed_rows.schema_of(LedgerRow)


def append(output: str, name: str, rows: Iterable[LedgerRow]) -> None:
    """Adds rows in a file of their own, completely or not at all.

    Args:
        output: folder or URL that holds the ledger.
        name: name of the file, without suffix. A task that runs again passes the same name and replaces its rows.
        rows: the rows to add.

    Raises:
        OSError: the file cannot be written.
    """
    table = typed_rows.to_table(rows, LedgerRow)
    if table.num_rows:
        storage.write(storage.join(output, FOLDER, f"{name}.parquet"), parquet.to_parquet(table))


def scan(output: str, columns: Sequence[str] = SCHEMA.names) -> Iterator[pa.Table]:
    """Yields all rows as tables, in no order; nothing if there is no ledger yet.

    A source has a row for each time that it was finished: the one with the newest ``finished_at`` counts. A row may
    come twice if a run was killed while it compacted the ledger.

    Raises:
        OutputError: a file of the ledger is damaged.
    """
    for entry, content in _contents(_files(output)):
        yield from _tables(entry.path, content, columns)


def latest(output: str, sources: Collection[str] | None = None) -> dict[str, LedgerRow]:
    """Returns the newest row of each source, or of the given sources, in memory. Raises OutputError as ``scan``."""
    wanted = None if sources is None else pa.array(list(sources), pa.string())
    rows: list[LedgerRow] = []
    for table in scan(output):
        chosen = table if wanted is None else table.filter(pc.is_in(table["source"], wanted))
        rows += typed_rows.from_table(chosen, LedgerRow)
    return {row.source: row for row in sorted(rows, key=lambda row: row.finished_at)}


def compact(output: str) -> int:
    """Merges small files. Returns the number of files that were merged.

    A file is removed after its rows are in another. If the run is killed in between, the ledger has these rows twice,
    which changes nothing.

    Raises:
        OutputError: a file of the ledger is damaged.
        OSError: the ledger cannot be written.
    """
    small = [entry for entry in _files(output) if entry.size < _SMALL]
    if len(small) <= _FEW:
        return 0
    merged = _Merged(output)
    for entry, content in _contents(small):
        merged.add(entry, pa.concat_tables([SCHEMA.empty_table(), *_tables(entry.path, content, SCHEMA.names)]))
    merged.close()
    return len(small)


class _Merged:
    """Collects the rows of small files; whenever they are many, writes them as one file and removes the small ones."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._tables: list[pa.Table] = []
        self._replaced: list[Entry] = []
        self._bytes = 0

    def add(self, entry: Entry, table: pa.Table) -> None:
        self._tables.append(table)
        self._replaced.append(entry)
        self._bytes += table.nbytes
        if self._bytes > _MERGED:
            self.close()

    def close(self) -> None:
        if self._tables:
            name = f"merged-{uuid.uuid4().hex}.parquet"
            storage.write(storage.join(self._output, FOLDER, name), parquet.to_parquet(pa.concat_tables(self._tables)))
            for entry in self._replaced:
                storage.remove_if_there(entry.path)
        self._tables, self._replaced, self._bytes = [], [], 0


def _files(output: str) -> list[Entry]:
    return [entry for entry in storage.children(storage.join(output, FOLDER)) if entry.name.endswith(".parquet")]


def _contents(entries: Sequence[Entry]) -> Iterator[tuple[Entry, bytes]]:
    """Yields each file with its content, in order; a few are read ahead."""
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(entries), _READERS):
            part = entries[start : start + _READERS]
            try:
                yield from zip(part, pool.map(lambda entry: storage.read(entry.path), part), strict=True)
            except FileNotFoundError as error:
                raise OutputError(f"{one_line(error)}: another run is changing the ledger; try again later") from error


def _tables(path: str, content: bytes, columns: Sequence[str]) -> Iterator[pa.Table]:
    try:
        with parquet.open_parquet(io.BytesIO(content), path) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=list(columns)):
                yield _with_new_columns(pa.Table.from_batches([batch]), columns)
    except (pa.ArrowException, OSError, InputError) as error:
        raise OutputError(
            f"ledger file {path} is damaged ({one_line(error)}): remove it, and its photographs are colorized again"
        ) from error


def _with_new_columns(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Adds the columns that older versions did not write, without values."""
    for name in columns:
        if name in _NEW and name not in table.column_names:
            table = table.append_column(SCHEMA.field(name), pa.nulls(len(table), SCHEMA.field(name).type))
    return table.select(list(columns))
